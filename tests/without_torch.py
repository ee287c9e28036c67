"""A plugin: `python -m pytest -p tests.without_torch` runs the tests of all that works without the extra `train`.

No package of that extra can be imported then, and the tests of the learning side are left out.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path

LEARNING_SIDE = ("ladder", "learn", "downstream")
REFUSED = ("torch", "accelerate", "safetensors", "onnx", "onnxscript")


class _Refuse(MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None, target: object = None) -> None:
        package = fullname.partition(".")[0]
        if package in REFUSED:
            raise ModuleNotFoundError(f"No module named '{package}'", name=package)


sys.meta_path.insert(0, _Refuse())


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    return True if collection_path.name in LEARNING_SIDE and collection_path.parent.name == "tests" else None


def pytest_report_header() -> str:
    return f"cannot be imported: {', '.join(REFUSED)}; left out: {', '.join(LEARNING_SIDE)}"
