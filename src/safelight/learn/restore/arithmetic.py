"""Degradations that are pure arithmetic, for a whole batch at once on the training device.

Loader processes do a chain's steps up to its last codec or change of size. What comes after these is done here, where a
GPU would otherwise wait for noise. The parameters are those that `degrade.draw` drew. Noise comes from the device's own
generator, keyed by the same words: so it is other noise than the processor's, and the same each time on such a device.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from safelight.degrade import DegradeRecord, replay
from safelight.degrade.optics import Kernel, disk_kernel, gaussian_kernel, motion_kernel
from safelight.learn.device import on_device
from safelight.learn.restore.data import Drawn, Pair, planar
from safelight.learn.seeds import torch_generator


class StepLeft(NamedTuple):
    """One degradation of one picture."""

    kind: str
    parameters: dict[str, float]
    seed: int
    identity: tuple[int | str, ...]
    """Of its noise."""
    is_grey: bool
    """Whether all three channels are, and stay, one."""


class Begun(NamedTuple):
    """A batch whose degradation is not finished."""

    pair: Pair
    """With margins."""
    steps: list[list[StepLeft]]
    """Of each picture, what is left to do."""
    corners: list[tuple[int, int]]
    patch_px: int


Degradation = Callable[[Tensor, Sequence[StepLeft]], Tensor]
"""(B, 3, H, W) and a step of one kind for each → (B, 3, H, W)."""


def begin(drawn: Sequence[Drawn], patch_px: int) -> Begun:
    """What loaders do of a batch."""
    split = [_split(one) for one in drawn]
    clean = torch.stack([planar(one.clean) for one in drawn])
    degraded = torch.stack([planar(replay(one.clean, first)) for one, (first, _) in zip(drawn, split, strict=True)])
    pair = Pair(clean, degraded, torch.stack([one.sigma_01 for one in drawn]))
    return Begun(pair, [left for _, left in split], [one.corner for one in drawn], patch_px)


def finish(begun: Begun) -> Pair:
    """What the training device does of it; patches without margins."""
    pair, side = on_device(begun.pair), begun.patch_px
    degraded = pair.degraded.clone()

    def kinds(k: int) -> list[str]:
        return [step.kind for step in begun.steps[k]]

    for _, rows in groupby(sorted(range(len(degraded)), key=kinds), kinds):
        of_chain = list(rows)
        x = degraded[of_chain]
        for steps in zip(*(begun.steps[k] for k in of_chain), strict=True):
            x = ARITHMETIC[steps[0].kind](x, steps)
        degraded[of_chain] = x

    def patches(of: Tensor) -> Tensor:
        return torch.stack(
            [x[:, top : top + side, left : left + side] for x, (top, left) in zip(of, begun.corners, strict=True)]
        )

    return Pair(patches(pair.clean), patches(degraded), pair.sigma_01)


def _split(drawn: Drawn) -> tuple[DegradeRecord, list[StepLeft]]:
    """What a loader does of a record, and what is left."""
    record, is_grey = drawn.record, drawn.clean.shape[2] == 1
    count = max((k + 1 for k, (kind, _) in enumerate(record.steps) if kind not in ARITHMETIC), default=0)
    left = [
        StepLeft(kind, parameters, seed=record.seed, identity=(*record.identity, position, kind), is_grey=is_grey)
        for position, (kind, parameters) in enumerate(record.steps)
        if position >= count
    ]
    return replace(record, steps=record.steps[:count]), left


def _gaussian_noise(x: Tensor, steps: Sequence[StepLeft]) -> Tensor:
    return x + _of_each(steps, "sigma_255") / 255 * _normal(x, steps)


def _camera_noise(x: Tensor, steps: Sequence[StepLeft]) -> Tensor:
    red, blue = _of_each(steps, "red_gain", 1), _of_each(steps, "blue_gain", 1)
    in_colour = torch.tensor([not step.is_grey for step in steps]).view(-1, 1, 1, 1)
    gains = torch.where(in_colour, torch.cat([red, torch.ones_like(red), blue], dim=1), 1)
    raw = _to_linear(x.clamp(0, 1)) / gains
    noise = (_of_each(steps, "shot") * raw + _of_each(steps, "read") ** 2).sqrt() * _normal(x, steps)
    has_mosaic = (_of_each(steps, "mosaic", 0) >= 0.5) & in_colour
    noise = torch.where(has_mosaic, _demosaicked(noise), noise)
    return _to_gamma(((raw + noise) * gains).clamp(0, 1))


def _demosaicked(noise: Tensor) -> Tensor:
    """See `degrade.noise`: what an RGGB mosaic keeps, interpolated."""
    sites = torch.zeros_like(noise[:1])
    sites[:, 0, 0::2, 0::2] = sites[:, 1, 0::2, 1::2] = sites[:, 1, 1::2, 0::2] = sites[:, 2, 1::2, 1::2] = 1
    line = torch.tensor([1.0, 2.0, 1.0])
    tent = torch.outer(line, line).expand(3, 1, 3, 3)
    return F.conv2d(noise * sites, tent, padding=1, groups=3) / F.conv2d(sites, tent, padding=1, groups=3).clamp(min=1)


def _exposure(x: Tensor, steps: Sequence[StepLeft]) -> Tensor:
    return _to_gamma((_to_linear(x) * 2 ** _of_each(steps, "stops")).clamp(0, 1))


def _quantise(x: Tensor, steps: Sequence[StepLeft]) -> Tensor:
    return (x.clamp(0, 1) * 255).round() / 255


def _blur(kernel_of: Callable[..., Kernel]) -> Degradation:
    def blurred(x: Tensor, steps: Sequence[StepLeft]) -> Tensor:
        kernels = [kernel_of(**step.parameters) for step in steps]
        reach = max(len(kernel) // 2 for kernel in kernels)
        framed = [np.pad(kernel, reach - len(kernel) // 2).astype(np.float32) for kernel in kernels]
        weight = torch.from_numpy(np.repeat(np.stack(framed), 3, axis=0)[:, None]).to(x.device)
        one = x.reshape(1, -1, *x.shape[2:])
        return F.conv2d(F.pad(one, (reach,) * 4, mode="replicate"), weight, groups=one.shape[1]).view_as(x)

    return blurred


ARITHMETIC: dict[str, Degradation] = {
    "camera_noise": _camera_noise,
    "disk_blur": _blur(disk_kernel),
    "exposure": _exposure,
    "gaussian_blur": _blur(gaussian_kernel),
    "gaussian_noise": _gaussian_noise,
    "motion_blur": _blur(motion_kernel),
    "quantise": _quantise,
}
"""Each does what `degrade.DEGRADATIONS` does."""


def _of_each(steps: Sequence[StepLeft], parameter: str, default: float | None = None) -> Tensor:
    """(B, 1, 1, 1)"""
    values = [
        step.parameters[parameter] if default is None else step.parameters.get(parameter, default) for step in steps
    ]
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1)


def _normal(x: Tensor, steps: Sequence[StepLeft]) -> Tensor:
    """N(0, 1), like `x`; the same in all channels of what is grey."""
    drawn = []
    for step in steps:
        size = (1 if step.is_grey else 3, *x.shape[2:])
        drawn.append(torch.randn(size, generator=torch_generator(step.seed, *step.identity)).expand_as(x[0]))
    return torch.stack(drawn)


def _to_linear(x: Tensor) -> Tensor:
    """See `degrade.light`."""
    size = x.abs()
    return torch.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4).copysign(x)


def _to_gamma(linear: Tensor) -> Tensor:
    """The inverse of `_to_linear`."""
    size = linear.abs()
    return torch.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055).copysign(linear)
