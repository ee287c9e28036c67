"""How fast a run is, whether it waits for data, and how far its budget goes."""

import time

import torch

from safelight.learn.checkpoint import Progress
from safelight.learn.device import layer_precision
from safelight.learn.recipe import Schedule

SPEED_KNOWN_AT = 15
"""The step of a stage from which its speed can be told."""
FEW_STEPS = 300
"""A stage with fewer learns little."""


class Meter:
    """Samples per second, and the share of the time spent waiting for data, since the last reading."""

    def __init__(self) -> None:
        self.restart()

    def add(self, wait_s: float, samples: int) -> None:
        """One step's."""
        self.wait_s += wait_s
        self.samples += samples

    def read(self) -> tuple[float, float]:
        """Both, and start again."""
        elapsed = time.perf_counter() - self.began
        result = self.samples / elapsed, self.wait_s / elapsed
        self.restart()
        return result

    def restart(self) -> None:
        """Forget."""
        self.began, self.wait_s, self.samples = time.perf_counter(), 0.0, 0


def foretold(stage: Schedule, budget_s: float | None, progress: Progress) -> list[str]:
    """Lines for people when the speed is known: how many steps fit into a stage's budget, what helps if these are few.

    None at other steps, and without a budget.
    """
    if budget_s is None or progress.step != SPEED_KNOWN_AT:
        return []
    steps = round(budget_s * progress.step / progress.seconds)
    computes = str(layer_precision(stage.precision)).removeprefix("torch.")
    lines = [f"about {steps} steps fit into {budget_s:.0f} s (in {computes}, with {torch.get_num_threads()} threads)"]
    if steps < FEW_STEPS:
        lines.append("warning: so few steps teach little; give a longer --budget, smaller pictures or a smaller model")
    return lines
