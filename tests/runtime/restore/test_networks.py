"""The networks of a restorer: how far they look, on which device, in which precision."""

import numpy as np
import pytest

from safelight.errors import DeviceError, UsageError
from safelight.runtime import graphs
from safelight.runtime.restore import RestorerNetworks


def test_the_card_s_halo_is_needed_and_enough(tiny, rng):
    """Nothing beyond the halo has an influence; something not far inside it has."""
    networks = RestorerNetworks(tiny)
    picture = rng.random((1, 3, 256, 256), dtype=np.float32)
    changed = picture.copy()
    changed[..., 128 + tiny.card.mean_halo_px :] += 0.5
    one, other = networks.estimate("one", picture), networks.estimate("one", changed)
    np.testing.assert_array_equal(one.mean[..., :128], other.mean[..., :128])
    np.testing.assert_array_equal(one.scale[..., :128], other.scale[..., :128])
    assert np.abs(one.scale[..., 128:] - other.scale[..., 128:]).max() > 0


def test_devices_that_are_not_there_are_refused(tiny):
    with pytest.raises(DeviceError, match="use --device cpu"):
        RestorerNetworks(tiny, "cuda")
    for wrong in ({"device": "gpu"}, {"threads": 0}, {"precision": "int4"}):
        with pytest.raises(UsageError, match="use "):
            RestorerNetworks(tiny, **wrong)


@pytest.mark.parametrize("fast", [True, False])
def test_auto_takes_eight_bits_for_the_mean_alone(tiny, monkeypatch, fast):
    monkeypatch.setattr(graphs, "multiplies_int8_fast", lambda: fast)
    networks = RestorerNetworks(tiny)
    assert networks.precision_of_mean(scale=False) == ("int8" if fast else "fp32")
    assert networks.precision_of_mean(scale=True) == "fp32"
    assert RestorerNetworks(tiny, precision="int8").precision_of_mean(scale=True) == "int8"
    assert RestorerNetworks(tiny, precision="fp32").precision_of_mean(scale=False) == "fp32"


def test_eight_bits_are_refused_elsewhere(tiny, monkeypatch):
    monkeypatch.setattr(graphs, "choose_device", lambda device: "cuda")
    with pytest.raises(DeviceError, match="use --device cpu"):
        RestorerNetworks(tiny, "cuda", precision="int8")
