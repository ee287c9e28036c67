"""What counts as training time."""

import pytest

pytest.importorskip("torch")

from safelight.learn.meter import Clock, Meter


@pytest.mark.parametrize(
    ("by_clock_s", "computed_s", "counts_s"), [(100, 60, 100), (4, 0, 4), (100, 0.5, 0.5), (6, 1, 6)]
)
def test_a_time_in_which_the_process_is_stopped_does_not_count(by_clock_s, computed_s, counts_s):
    now = Clock.now()
    before = Clock(now.clock_s - by_clock_s, now.processor_s - computed_s)
    assert before.seconds_since() == pytest.approx(counts_s, abs=0.1)


def test_speeds_of_steps_and_loader_stand_side_by_side(monkeypatch):
    meter = Meter()
    monkeypatch.setattr("time.perf_counter", lambda: meter.began + 10)
    for _ in range(4):
        meter.add(50, wait_s=1.5, loader_s=2)
    assert tuple(meter.read()) == pytest.approx((20, 50, 25, 0.6))
    meter.restart()
    assert meter.samples == 0 and meter.loader_s == 0
