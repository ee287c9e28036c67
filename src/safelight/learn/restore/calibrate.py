"""Calibrate a restorer's uncertainty on held-out pictures (`bundle.restore.calibration`).

Half of the held-out pictures calibrate. The other half measures errors, but not the coverage of intervals, which the
benchmarks measure. Training sees neither half.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from safelight.bundle import Calibration, OodReference
from safelight.ladder.restorer import Experts
from safelight.learn.restore.data import RestorationPairs
from safelight.learn.restore.ood import Vector, evidence, statistics_of

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
CALIBRATION_PATCHES = 384
CONFIDENCE = 0.9
"""With which a level is kept on pictures like those of the calibration."""


def calibrate(model: Experts, reference: OodReference, pairs: RestorationPairs) -> Calibration:
    """Fit what the predicted scale is worth, on pictures that were held out for it, degraded as in training.

    With s corrected for the kind of picture (`OodReference.correction_at`):
    std_factor² is the sum of e² over that of s², draw_factor² that over the same of draws. (An average of the patches'
    own quotients is ruled by the few of which the correction expects too little.)
    The quantiles are of |e| / s: see `safe_quantile`.
    """
    error, predicted, drawn, quotients = 0.0, 0.0, 0.0, []
    names, stores = tuple(model), pairs.store.each()[:CALIBRATION_PATCHES]
    patches = math.ceil(CALIBRATION_PATCHES / len(stores))
    for store in stores:
        of_picture = []
        for index in range(patches):
            pair = replace(pairs, store=store, stream=f"calibration of {store.entries[0].digest}")[index]
            embedding = reference.embed(statistics_of(model.first, pair))
            expert = reference.best_expert(embedding)
            seen, correction = evidence(model[names[expert]], pair), reference.correction_at(embedding, expert)
            error += np.sum(seen.error**2)
            predicted += np.sum((correction.std * seen.scale) ** 2)
            drawn += np.sum((correction.std / correction.draw_std * seen.drawn) ** 2)
            of_picture.append(seen.error / (correction.interval * seen.scale))
        quotients.append(np.sort(np.concatenate(of_picture)))
    return Calibration(
        std_factor=round(math.sqrt(error / predicted), 5),
        draw_factor=round(math.sqrt(error / drawn), 5),
        levels=LEVELS,
        quantiles=tuple(round(safe_quantile(quotients, level), 5) for level in LEVELS),
        fitted_on=f"{patches} patches of each of {len(stores)} held-out pictures, degraded as in training",
    )


def safe_quantile(quotients: Sequence[Vector], level: float) -> float:
    """How many units an interval must reach to hold a share `level` of the values.

    `quotients` are the sorted |error| / unit of each picture. The result is the smallest number of units for
    which an upper confidence bound of the share that is missed is 1 - level.

    Few pictures say little, however many values they have, and what is right for their average is too little for half
    of all other sets of pictures. (Bates et al., "Distribution-free, risk-controlling prediction sets", JACM 2021,
    with Student's bound over pictures.) One picture has no spread, and gets no such margin.
    """
    from scipy import stats

    pictures = len(quotients)
    errors = float(stats.t.ppf(CONFIDENCE, pictures - 1)) / math.sqrt(pictures) if pictures > 1 else 0.0
    least, most = 0.0, max(float(values[-1]) for values in quotients)
    for _ in range(40):
        middle = (least + most) / 2
        held = np.array([np.searchsorted(values, middle, side="right") / len(values) for values in quotients])
        margin = errors * held.std(ddof=1) if pictures > 1 else 0.0
        least, most = (least, middle) if held.mean() - margin >= level else (middle, most)
    return most
