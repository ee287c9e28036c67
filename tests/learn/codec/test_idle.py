"""Channels whose ReLU lets nothing through: they fit into integers, are left out of them, and begin anew."""

import pytest
import torch

from safelight.coding.program import check_bounds
from safelight.ladder.codec import CodecNet
from safelight.ladder.layers import ResidualBlock
from safelight.learn.codec.builder import Builder
from safelight.learn.codec.data import Patches
from safelight.learn.codec.forms import NARROW, RELU, Kernel
from safelight.learn.codec.revive import revive

IDLE = -50.0


def silenced(block, channels):
    with torch.no_grad():
        block.conv1.bias[channels] = IDLE
    return block


@pytest.fixture
def stream():
    """A builder, and a stream as blocks read it."""
    torch.manual_seed(1)
    builder = Builder("b")
    return builder, builder.input("x", 1e-3, 2**17, torch.randn(2, 20, 8, 8))


@pytest.mark.parametrize(("idle", "kept"), [(20, 1), (19, 1), (18, 2), (10, 20), (0, 20)])
def test_blocks_that_are_nearly_idle_keep_their_living_channels(stream, idle, kept):
    builder, x = stream
    block = silenced(ResidualBlock(20), slice(0, idle))
    after = builder.block(x, block, "block")
    assert builder.arrays["b.block_conv1.weight"].shape == (kept, 20, 3, 3)
    assert builder.arrays["b.block_conv2.weight"].shape == (20, kept, 3, 3)
    with torch.no_grad():
        torch.testing.assert_close(after.real, block(x.real))
    torch.testing.assert_close(after.whole * 1e-3, after.real, atol=0.03, rtol=0.02)
    check_bounds(builder.program(after), builder.arrays)


def test_a_layer_that_lets_nothing_through_still_fits(stream):
    builder, x = stream
    block = silenced(ResidualBlock(20), slice(None))
    out = builder.conv(builder.narrow(x, "in"), Kernel.of(block.conv1), "conv", RELU)
    assert not out.whole.any() and out.unit.min() * NARROW > 1e-3
    check_bounds(builder.program(out), builder.arrays)


def test_idle_channels_begin_anew_and_change_nothing_yet():
    torch.manual_seed(2)
    model = CodecNet([(4, 2)], (8, 8, 8), (1, 1, 1), context_width=8, hyper_channels=4, levels=3).eval()
    patches = Patches(torch.rand(3, 3, 64, 64), torch.tensor([0.0, 1.0, 2.0]))
    blocks = [module for module in model.modules() if isinstance(module, ResidualBlock)]
    silenced(blocks[0], slice(0, 5))
    before = model(*patches)
    revived = revive(model, patches)
    assert revived >= 5
    after = model(*patches)
    assert torch.equal(before.picture, after.picture) and torch.equal(before.bits, after.bits)
    assert not blocks[0].conv2.weight[:, :5].any() and blocks[0].conv1.weight[:5].all()
    assert revive(model, patches) < revived / 2, "chance may silence a new one"
