"""What becomes of a picture that the model does not know: it is done, and everybody is told."""

import dataclasses
import json

import numpy as np

from safelight.jobs.enhance import EnhanceSettings, make_plan, run
from safelight.picture import Picture, write
from safelight.runtime import Restorer, RestorerNetworks


def test_a_strange_picture_is_done_and_told_of(tiny, tmp_path, rng):
    source = tmp_path / "in" / "a.png"
    source.parent.mkdir()
    write(Picture(rng.integers(0, 256, (140, 150, 3), dtype=np.uint8)), source)
    told = {}
    for name, limit in (("known", 1e6), ("strange", 1e-6)):
        networks = RestorerNetworks(tiny)
        networks.familiar = dataclasses.replace(networks.familiar, limit=np.float32(limit))
        plan = make_plan([source], tmp_path / name, EnhanceSettings(), recursive=False)
        (told[name],) = run(plan, Restorer(networks), EnhanceSettings())
        assert (tmp_path / name / "a.png").exists()
    assert told["known"].ood_score < 1 < told["strange"].ood_score
    assert told["known"].warnings == []
    (warning,) = told["strange"].warnings
    assert warning.startswith("outside what this model was trained on")
    line = json.loads((tmp_path / "strange" / "manifest.jsonl").read_text().splitlines()[-1])
    assert line["anomaly"] == told["strange"].ood_score and line["warnings"] == [warning]
