"""Does a posterior say what it should: proper scores, calibration, ranking and texture.

Arrays are (H, W, C), or any one shape that all arguments share, in units of full scale. An `error` is estimate minus
truth; its sign does not matter. All of these judge every pixel value by itself, but for `gradient_energy`.
"""

import math
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SMALLEST_STD = 1e-12  # below any difference of float32 pixels


class Reliability(NamedTuple):
    """What was predicted and what was measured, per bin of predicted std, rising; each (bins,)."""

    predicted_rms: NDArray[np.float64]
    rmse: NDArray[np.float64]
    counts: NDArray[np.int64]


def crps_of_samples(samples: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Mean continuous ranked probability score of M samples (M, H, W, C), M >= 2, in units of full scale.

        CRPS = 1/M sum_i |x_i - y|  -  1/(M (M - 1)) sum_{i<j} |x_i - x_j|

    The fair estimator (Ferro, "Fair scores for ensemble forecasts", QJRMS 2014) of E|X - y| - E|X - X'| / 2
    (Gneiting & Raftery, "Strictly proper scoring rules, prediction, and estimation", JASA 2007, section 4.2).
    Its expectation is the same for every M, so it stands beside `crps_of_gaussian`; lower is better, and the score
    of one certain value is its absolute error. Pair by pair: three pictures of memory, M (M - 1) / 2 passes.
    """
    count = len(samples)
    if count < 2:
        raise ValueError(f"the fair CRPS needs at least 2 samples along the first axis, not {count}; draw more")
    distance = sum(_mean_abs(sample - truth) for sample in samples) / count
    spread = sum(_mean_abs(a - b) for a, b in combinations(samples, 2)) / (count * (count - 1))
    return distance - spread


def crps_of_gaussian(mean: NDArray[np.floating], std: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Mean continuous ranked probability score of N(mean, std²), in units of full scale; lower is better.

        CRPS = std (z (2 Φ(z) - 1) + 2 φ(z) - 1/sqrt(π)),    z = (truth - mean) / std,    2 Φ(z) - 1 = erf(z / sqrt(2))

    The closed form of Gneiting & Raftery (JASA 2007, section 4.2), exact to double precision. Where std is 0 it is
    the absolute error, its limit.
    """
    std = std.astype(np.float64)
    distance = np.abs(truth.astype(np.float64) - mean)
    z = distance / np.maximum(std, SMALLEST_STD)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return float(np.mean(distance * _erf(z / math.sqrt(2)) + std * (2 * density - 1 / math.sqrt(math.pi))))


def reliability(std: NDArray[np.floating], error: NDArray[np.floating], bins: int = 10) -> Reliability:
    """The reliability diagram: values in `bins` equal counts by predicted std; of each, RMS std and RMSE.

        predicted_rms_b = sqrt(mean_b std²),    rmse_b = sqrt(mean_b error²)

    Levi et al., "Evaluating and calibrating uncertainty prediction in regression tasks", Sensors 2022. The two are
    equal for a calibrated std. Fewer bins when there are fewer values.
    """
    rising, squared_error = _by_std(std, error)
    bins = min(bins, rising.size)
    predicted = [np.mean(part**2) for part in np.array_split(rising, bins)]
    by_bin = np.array_split(squared_error, bins)
    counts = np.array([part.size for part in by_bin], dtype=np.int64)
    return Reliability(np.sqrt(predicted), np.sqrt([np.mean(part) for part in by_bin]), counts)


def calibration_slope(table: Reliability) -> float:
    """RMSE per predicted std: 1 when calibrated, 2 when errors are twice as large as predicted; std not 0 everywhere.

        slope = sum_b n_b predicted_b rmse_b / sum_b n_b predicted_b²

    Least squares through the origin of the diagram of Levi et al. (2022), weighted by count.
    """
    weighted = table.counts * table.predicted_rms
    return float(np.sum(weighted * table.rmse) / np.sum(weighted * table.predicted_rms))


def ause(std: NDArray[np.floating], error: NDArray[np.floating], steps: int = 20) -> float:
    """Area under the sparsification error curve for RMSE; no unit, 0 when std orders the errors perfectly.

        AUSE = 1/K sum_{k<K} (RMSE of the (1 - k/K) with the smallest std  -  the same with the smallest |error|) / RMSE

    Ilg et al., "Uncertainty estimates and multi-hypotheses networks for optical flow", ECCV 2018, with K `steps` and
    RMSE for their endpoint error. It knows nothing of the size of std. Equal stds count as in random order.
    """
    squared_error = error.ravel().astype(np.float64) ** 2
    total = math.sqrt(squared_error.mean())
    if total == 0:
        return 0.0
    predicted = _rmse_of_firsts(_by_std(std, error)[1], steps)
    oracle = _rmse_of_firsts(np.sort(squared_error), steps)
    return float(np.mean(predicted - oracle)) / total


def gradient_energy(pixels: NDArray[np.floating]) -> float:
    """Mean squared forward difference down plus that across, (H, W, C) with H, W >= 2; full scale squared per pixel².

    Texture as one number, to be divided by that of the truth: below 1 is smoother, above 1 is rougher or noisier.
    """
    return sum(float(np.mean(np.diff(pixels, axis=axis) ** 2, dtype=np.float64)) for axis in (0, 1))


def _mean_abs(difference: NDArray[np.floating]) -> float:
    return float(np.mean(np.abs(difference), dtype=np.float64))


def _erf(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The C library's, value by value: 0.1 s for 1.2 million, and no approximation to account for."""
    return np.fromiter(map(math.erf, x.ravel()), np.float64, x.size).reshape(x.shape)


def _by_std(std: NDArray[np.floating], error: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Std rising, and the squared errors in that order; where stds are equal, each has the mean of them all."""
    rising, group, count = np.unique(std.ravel(), return_inverse=True, return_counts=True)
    squared = np.bincount(group, error.ravel().astype(np.float64) ** 2) / count
    return np.repeat(rising.astype(np.float64), count), np.repeat(squared, count)


def _rmse_of_firsts(squared_error: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """RMSE of the first share 1, 1 - 1/K, ..., 1/K of the values, (K,)."""
    kept = np.maximum(1, np.rint(squared_error.size * (1 - np.arange(steps) / steps)).astype(np.int64))
    result: NDArray[np.float64] = np.sqrt(np.cumsum(squared_error)[kept - 1] / kept)
    return result
