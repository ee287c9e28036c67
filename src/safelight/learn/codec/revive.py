"""Channels that training has silenced begin anew: a ReLU that lets nothing through has no gradient either."""

import torch
from torch import Tensor, nn

from safelight.ladder.codec import CodecNet
from safelight.ladder.layers import ResidualBlock
from safelight.learn.codec.data import Patches


@torch.no_grad()
def revive(model: CodecNet, patches: Patches) -> int:
    """Draw new weights for channels in blocks that are idle on all patches; returns how many there were.

    The network computes the same as before: nothing reads a new channel yet.
    """
    blocks = [module for module in model.modules() if isinstance(module, ResidualBlock)]
    largest: dict[nn.Module, Tensor] = {}

    def look(layer: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        found = out.amax((0, 2, 3))
        largest[layer] = torch.maximum(largest.get(layer, found), found)

    hooks = [block.conv1.register_forward_hook(look) for block in blocks]
    for k in range(len(patches.level)):
        model(patches.pixels[k : k + 1], patches.level[k : k + 1])
    for hook in hooks:
        hook.remove()
    return sum(_begin_anew(block, largest[block.conv1] <= 0) for block in blocks)


def _begin_anew(block: ResidualBlock, idle: Tensor) -> int:
    assert block.conv1.bias is not None
    fresh = ResidualBlock(len(idle)).to(block.conv1.weight.device)
    block.conv1.weight[idle] = fresh.conv1.weight[idle]
    block.conv1.bias[idle] = 0
    block.conv2.weight[:, idle] = 0
    return int(idle.sum())
