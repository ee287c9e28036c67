"""Smaller weights in a larger restorer that computes the same: new blocks, and wider scales.

    new blocks      their last convolution is 0, so that they add nothing
    new channels    are computed by random kernels, and nothing reads them yet: the kernels' new columns are 0

Function-preserving growth after Chen, Goodfellow & Shlens, "Net2Net", ICLR 2016; here new channels are new features
instead of copies of old ones, and the kernels that will read them have a gradient from the first step on.
"""

import re

import torch
from torch import Tensor

BLOCK = re.compile(r"trunk\..*\.conv\d\.(weight|bias)")
STEP_UP = re.compile(r"(trunk|ladder)\.up\.\d+\.weight")
"""Transposed convolutions: their kernels are (in, out, 2, 2), all others (out, in, k, k)."""
READS_PICTURE_TOO = "scale.mix.weight"
"""Its input is features and then twelve channels of what was removed, so that new channels stand in the middle."""
REMOVED = 12


def grow(given: dict[str, Tensor], wanted: dict[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """`given` in the shapes of `wanted`, freshly initialised weights, and a word on what has grown.

    What is smaller in `wanted` is left out of the result.
    """
    grown = dict(given)
    blocks = [name for name in wanted.keys() - given.keys() if BLOCK.fullmatch(name)]
    for name in blocks:
        grown[name] = torch.zeros_like(wanted[name]) if ".conv2." in name else wanted[name]
    wider = [name for name, t in given.items() if name in wanted and t.shape != wanted[name].shape]
    for name in wider:
        if any(old > new for old, new in zip(given[name].shape, wanted[name].shape, strict=True)):
            del grown[name]
        else:
            grown[name] = _wider(name, given[name], wanted[name])
    words = [f"{len(blocks) // 4} new blocks"] * bool(blocks) + [f"{len(wider)} wider kernels and biases"] * bool(wider)
    return grown, ", ".join(words)


def _wider(name: str, old: Tensor, fresh: Tensor) -> Tensor:
    if old.ndim == 1:
        bias = torch.zeros_like(fresh)
        bias[: len(old)] = old
        return bias
    if STEP_UP.fullmatch(name):
        return _wider("", old.transpose(0, 1), fresh.transpose(0, 1)).transpose(0, 1).contiguous()
    kernel = fresh.clone()
    outputs, inputs = old.shape[:2]
    kernel[:outputs] = 0
    if name == READS_PICTURE_TOO:
        kernel[:outputs, : inputs - REMOVED] = old[:, : inputs - REMOVED]
        kernel[:outputs, -REMOVED:] = old[:, -REMOVED:]
    else:
        kernel[:outputs, :inputs] = old
    return kernel
