"""How fast a run is, and whether it waits for data."""

import time


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
