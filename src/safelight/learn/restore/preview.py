"""A picture of the run: held-out crops as clean | degraded | mean | scale."""

from pathlib import Path

import numpy as np
import torch

from safelight.ladder.restorer import RestorerNet
from safelight.learn.device import on_device
from safelight.learn.restore.data import Pair
from safelight.picture.vips import to_vips

ROWS_OF_EACH = 2


@torch.inference_mode()
def write_preview(model: RestorerNet, batches: dict[str, Pair], path: Path) -> None:
    """One row per crop, `ROWS_OF_EACH` rows per degradation; the scale is shown ten times brighter."""
    rows = []
    for batch in batches.values():
        spread = max(1, len(batch.clean) // ROWS_OF_EACH)
        some = on_device(Pair(*(t[::spread][:ROWS_OF_EACH] for t in batch)))
        output = model(some.degraded, some.sigma_01)
        panels = torch.cat([some.clean, some.degraded, output.mean, 10 * output.log_scale.exp()], dim=3)
        rows.append(panels.clamp(0, 1).permute(0, 2, 3, 1).flatten(0, 1))
    grid = np.rint(torch.cat(rows).cpu().numpy() * 255).astype(np.uint8)
    to_vips(grid).pngsave(str(path))
