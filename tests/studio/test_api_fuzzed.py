"""Requests that the API describes, and many that it does not: no crash, and no answer that it does not describe."""

import contextlib

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis.errors import Unsatisfiable  # noqa: E402
from schemathesis import checks  # noqa: E402
from schemathesis.specs.openapi import checks as specs_checks  # noqa: E402

from safelight.studio.app import build_app  # noqa: E402
from safelight.studio.house import open_house  # noqa: E402
from safelight.studio.settings import StudioSettings  # noqa: E402
from tests.support import BUNDLES  # noqa: E402

pytestmark = pytest.mark.slow
EXAMPLES = 25
CHECKS = [
    checks.not_a_server_error,
    *(
        getattr(specs_checks, name)
        for name in ("status_code_conformance", "content_type_conformance", "response_schema_conformance")
    ),
]


@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
def test_every_address(tmp_path, monkeypatch, mode):
    monkeypatch.setenv("SAFELIGHT_MODELS", str(BUNDLES))
    house = open_house(StudioSettings(state=tmp_path))
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", build_app(house))
    try:
        operations = [found.ok() for found in schema.get_all_operations()]
        assert len(operations) > 10
        for operation in operations:

            @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode))
            def check(case):
                case.validate_response(case.call(), checks=CHECKS)

            with contextlib.suppress(Unsatisfiable):  # nothing can be wrong where nothing is asked for
                check()
    finally:
        house.close()
