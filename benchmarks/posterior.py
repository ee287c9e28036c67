"""What `benchmarks/restore.py` measures of one picture and of a table of pictures, posterior included."""

import statistics
from pathlib import Path

import numpy as np
from lpips import Lpips

import safelight
from safelight.metrics import (
    Reliability,
    ause,
    calibration_slope,
    crps_of_gaussian,
    crps_of_samples,
    gradient_energy,
    mse,
    psnr_db,
    reliability,
)

EVERY = 31
"""Of how many pixel values one goes into the reliability diagram; prime, so that no grid is favoured."""


class Table:
    """Named numbers of many pictures, and what is drawn from all their pixels."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}
        self.stds: list[np.ndarray] = []
        self.errors: list[np.ndarray] = []

    def add(self, **numbers: float) -> None:
        """One picture."""
        for name, number in numbers.items():
            self.values.setdefault(name, []).append(number)

    def reliability(self) -> Reliability:
        """Over the pixels of all pictures."""
        return reliability(np.concatenate(self.stds), np.concatenate(self.errors))

    def means(self) -> dict[str, float]:
        """Averages over pictures; squared errors as ratios of their averages to that of the mean."""
        means = {name: statistics.fmean(numbers) for name, numbers in self.values.items()}
        base = means.pop("mse_of_mean", 1.0)
        ratios = {f"{name}_to_that_of_mean": means.pop(name) / base for name in list(means) if name.startswith("mse_")}
        drawn = {}
        if self.stds:
            drawn["rmse_over_std_slope"] = calibration_slope(self.reliability())
            drawn["ause"] = ause(np.concatenate(self.stds), np.concatenate(self.errors))
        return {name: round(number, 4) for name, number in (means | ratios | drawn).items()}


class Judge:
    """Compares restored pictures with the truth; LPIPS only if its weights are at hand."""

    def __init__(self, model: safelight.Restorer, data: Path, samples: int) -> None:
        self.model, self.samples = model, samples
        weights = data / "lpips" / "alexnet_lpips.npz"
        self.lpips = Lpips(weights) if weights.exists() else None

    def judge(self, table: Table, clean: np.ndarray, degraded: np.ndarray) -> None:
        """Restore one picture and add everything that is known of it to `table`."""
        out = self.model.enhance(safelight.Picture(degraded.astype(np.float32)), samples=self.samples, seed=1)
        table.stds.append(out.std.ravel()[::EVERY])
        table.errors.append((out.mean.pixels - clean).ravel()[::EVERY])
        table.add(**self._mean(out, clean, degraded), **self._samples(out, clean))

    def _mean(self, out: safelight.Restored, clean: np.ndarray, degraded: np.ndarray) -> dict[str, float]:
        numbers = {
            "input_db": psnr_db(np.clip(degraded, 0, 1), clean),
            "ours_db": psnr_db(np.clip(out.mean.pixels, 0, 1), clean),
            "mse_of_mean": mse(out.mean.pixels, clean),
            "mse_predicted": float(np.mean(out.std**2)),
            "crps_of_mean_and_std_255": 255 * crps_of_gaussian(out.mean.pixels, out.std, clean),
            "outside": float(out.out_of_distribution),
        }
        for level in (0.5, 0.9):
            low, high = out.interval(level)
            numbers[f"inside_{round(100 * level)}"] = float(np.mean((low <= clean) & (clean <= high)))
        return numbers

    def _samples(self, out: safelight.Restored, clean: np.ndarray) -> dict[str, float]:
        draws = np.stack([sample.pixels for sample in out.samples])
        truth = gradient_energy(clean)
        numbers = {
            "mse_of_one_sample": mse(draws[0], clean),
            f"mse_of_mean_of_{len(draws)}": mse(draws.mean(0), clean),
            "crps_of_samples_255": 255 * crps_of_samples(draws, clean),
            "gradient_energy_of_mean": gradient_energy(out.mean.pixels) / truth,
            "gradient_energy_of_sample": gradient_energy(draws[0]) / truth,
        }
        if self.lpips is not None:
            numbers["lpips_of_mean"] = self.lpips(np.clip(out.mean.pixels, 0, 1), clean)
            numbers["lpips_of_sample"] = self.lpips(np.clip(draws[0], 0, 1), clean)
        return numbers


def draw_reliability(tables: dict[str, Reliability], path: Path) -> None:
    """One diagram for all tables: RMSE found against standard deviation predicted, both in 1/255."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 6), layout="constrained")
    ends = [0.3, 60]
    axes.plot(ends, ends, color="black", linewidth=0.8, label="perfect")
    for name, table in tables.items():
        axes.plot(255 * table.predicted_rms, 255 * table.rmse, marker="o", markersize=3, linewidth=1, label=name)
    axes.set(
        xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="predicted std, 1/255", ylabel="RMSE found, 1/255"
    )
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
