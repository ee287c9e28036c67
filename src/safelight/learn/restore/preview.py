"""A picture of the run: held-out crops as clean | degraded | mean | scale."""

from pathlib import Path

import torch

from safelight.ladder.restorer import RestorerNet
from safelight.learn.device import on_device
from safelight.learn.restore.data import Pair
from safelight.picture.sheet import save_rows

ROWS_OF_EACH = 2


@torch.inference_mode()
def write_preview(model: RestorerNet, batches: dict[str, Pair], path: Path) -> None:
    """One row per crop, `ROWS_OF_EACH` rows per degradation; the scale is shown ten times brighter."""
    rows = []
    for name, batch in batches.items():
        spread = max(1, len(batch.clean) // ROWS_OF_EACH)
        some = on_device(Pair(*(t[::spread][:ROWS_OF_EACH] for t in batch)))
        output = model(some.degraded, some.sigma_01)
        panels = torch.stack([some.clean, some.degraded, output.mean, 10 * output.log_scale.exp()], dim=1)
        for number, row in enumerate(panels.permute((0, 1, 3, 4, 2)).cpu().numpy()):
            rows.append(("" if number else f"{name}: clean, degraded, restored, scale x 10", row))
    save_rows(rows, path)
