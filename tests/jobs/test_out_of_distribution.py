"""What becomes of a picture that is unlike the training pictures: it is done, with a warning everywhere."""

import dataclasses
import json

import numpy as np

from safelight.jobs.batch.run import run
from safelight.jobs.enhance.files import Steps
from safelight.jobs.enhance.plan import plan_enhance
from safelight.jobs.enhance.settings import EnhanceSettings
from safelight.picture import Picture, write
from safelight.runtime.restore import Restorer, RestorerNetworks


def test_an_out_of_distribution_picture_is_done_with_a_warning(tiny, tmp_path, rng):
    source = tmp_path / "in" / "a.png"
    source.parent.mkdir()
    write(Picture(rng.integers(0, 256, (140, 150, 3), dtype=np.uint8)), source)
    outcomes = {}
    for name, limit in (("known", 1e6), ("strange", 1e-6)):
        networks = RestorerNetworks(tiny)
        networks.ood_reference = dataclasses.replace(networks.ood_reference, limit=np.float32(limit))
        settings = EnhanceSettings(inputs=[source], output=tmp_path / name)
        (outcomes[name],) = run(plan_enhance(settings), Steps(settings, Restorer(networks)))
        assert (tmp_path / name / "a.png").exists()
    assert outcomes["known"].ood_score < 1 < outcomes["strange"].ood_score
    assert outcomes["known"].warnings == []
    (warning,) = outcomes["strange"].warnings
    assert warning.startswith("this picture is unlike the training pictures (out-of-distribution score ")
    assert warning.endswith(", limit 1): check the result")
    line = json.loads((tmp_path / "strange" / "manifest.jsonl").read_text().splitlines()[-1])
    assert line["ood_score"] == outcomes["strange"].ood_score and line["warnings"] == [warning]
