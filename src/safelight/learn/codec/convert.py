"""A trained codec as programs of integers, and the tables of all its qualities."""

from typing import NamedTuple, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from safelight.bundle.codec import names
from safelight.coding.program import Program
from safelight.coding.tables import SMALLEST, SUBSTEPS, log_step
from safelight.ladder.codec import MEAN_SPEED, CodecNet, LevelBias, Pass, interpolated, parity_masks, rounded
from safelight.ladder.layers import ResidualBlock
from safelight.learn.codec.builder import MUCH, STREAM_LIMIT, Builder, Value, largest, stream_unit
from safelight.learn.codec.data import Patches

QUALITIES = 100
STEP_UNITS = 64
"""The smallest quantisation step is so many units of the fine integers."""
LINEAR_UNITS, LINEAR_LIMIT, LINEAR_REACH = 2, 4095, 4.0
"""The linear transform reads latents in so many fine units or more, of at most this magnitude, and up to so many times
the largest ones seen: what it reads in more digits, its weights have not.
"""
MEAN_UNIT = 1 / 512
FINE_LIMIT = 2**21
FIXED_POINT_BITS = 20


_Module = TypeVar("_Module", bound=nn.Module)


class Converted(NamedTuple):
    """All that a codec computes, in integers."""

    programs: dict[str, Program]
    arrays: dict[str, NDArray[np.integer]]
    """Weights of the programs, and tables by quality."""


def quality_levels(levels: int) -> Tensor:
    """The level of each quality, 1 to 100."""
    return torch.linspace(0, levels - 1, QUALITIES)


@torch.no_grad()
def convert(model: CodecNet, patches: Patches) -> Converted:
    """The integers of a network of real numbers; units are chosen by what it computes on the patches."""
    return _Conversion(model, patches).convert()


class _Conversion:
    """The network, the patches, and what is made of them."""

    def __init__(self, model: CodecNet, patches: Patches) -> None:
        self.model, self.weights = model, model.level_weights(patches.level)
        self.pixels = patches.pixels
        self.quality_weights = model.level_weights(quality_levels(model.levels))
        self.std = model.std.double()
        self.spread = model.spread(self.weights)
        self.arrays: dict[str, NDArray[np.integer]] = {}
        self.programs: dict[str, Program] = {}
        gains = self._by_quality(model.log_gains).exp()
        self.fine_unit = 1 / gains.amax(0) / STEP_UNITS
        hyper_gains = self._by_quality(model.hyper_log_gains).exp()
        self.hyper_fine_unit = 1 / hyper_gains.amax(0) / STEP_UNITS

    def convert(self) -> Converted:
        y = self._analysis()
        z = self._hyper_analysis(y)
        latents = self._passes(self._hyper_synthesis(z), y)
        self._synthesis(latents)
        self._steps()
        return Converted(self.programs, self.arrays)

    def _by_quality(self, table: Tensor) -> Tensor:
        """(levels, C) → (100, C)"""
        return (self.quality_weights @ table).double()

    def _keep(self, name: str, builder: Builder, *outputs: Value) -> None:
        self.programs[name] = builder.program(*outputs)
        self.arrays |= builder.arrays

    def _bias(self, builder: Builder, bias: LevelBias, name: str, unit: float) -> Value:
        """A level's bias as an input, (1, C, 1, 1), and its table of all qualities."""
        real = interpolated(self.weights, bias.table)
        table = torch.round(self._by_quality(bias.table) / unit)
        self.arrays[f"{builder.prefix}.{name}"] = table.numpy().astype(np.int32)
        return builder.input(name, unit, int(table.abs().max()) + 1, real)

    def _analysis(self) -> Tensor:
        """Of pixels as integers about 128; returns y."""
        net, b = self.model.analysis, Builder(names.ANALYSIS)
        half = 0.5 / 255  # integers are about 128, and the network was trained about 127.5
        x = b.input(names.PIXELS, 1 / 255, 128, self.pixels - 0.5 - half)
        kernel, offset = on_pixels(net.head.weight), _bias_of(net.head) + half * net.head.weight.sum((1, 2, 3))
        real = F.conv2d(x.real, kernel, offset, stride=4, padding=4)
        for k, stage in enumerate(net.blocks):
            unit, real = self._stage_unit(stage, real)
            if k == 0:
                h = b.conv(x, kernel, offset, "head", unit=unit, limit=STREAM_LIMIT, stride=4, padding=4)
            else:
                down = _of(nn.Conv2d, net.down[k - 1])
                h = b.layer(b.narrow(h, f"down{k}_in"), down, f"down{k}", unit=unit, limit=STREAM_LIMIT)
            h = self._stage(b, h, stage, f"stage{k + 1}")
            real = net.down[k](real) if k < 2 else real
        scale = self.model.change_scale.flatten()
        path = b.conv(
            b.narrow(h, "tail_in"), net.tail.weight * scale[:, None, None, None], _bias_of(net.tail) * scale, "tail",
            unit=self.fine_unit, limit=FINE_LIMIT, largest_weight=MUCH,
        )  # fmt: skip
        kernel = net.linear.kernel
        linear = b.conv(
            x, kernel, half * kernel.sum((1, 2, 3)), "linear",
            unit=self.fine_unit, limit=FINE_LIMIT, largest_weight=MUCH, stride=16,
        )  # fmt: skip
        y = b.add(linear, path, names.LATENTS)
        self._keep(names.ANALYSIS, b, y)
        only = Builder(names.ANALYSIS)  # the same arrays, for what 16 bits have beyond 8
        only.input(names.PIXELS, 1 / 255, 128, self.pixels)
        linear_op = next(op for op in b.operations if op.output == "linear")
        self.programs[names.ANALYSIS_LINEAR] = Program(only.inputs, (linear_op,), ("linear",))
        return y.real

    def _hyper_analysis(self, y: Tensor) -> Tensor:
        """Returns z, before its gains."""
        net, b = self.model.hyper_analysis, Builder(names.HYPER_ANALYSIS)
        given = (y / self.spread).clamp(-names.CONTEXT_REACH, names.CONTEXT_REACH)
        h = b.input(names.LATENTS, names.CONTEXT_UNIT, names.CONTEXT_LIMIT, given)
        h = b.layer(h, _of(nn.Conv2d, net[0]), "conv1", relu=True)
        h = b.layer(h, _of(nn.Conv2d, net[2]), "down1", relu=True)
        z = b.layer(h, _of(nn.Conv2d, net[4]), names.HYPER, unit=self.hyper_fine_unit, limit=FINE_LIMIT)
        self._keep(names.HYPER_ANALYSIS, b, z)
        return z.real

    def _hyper_synthesis(self, z: Tensor) -> tuple[Tensor, LevelBias]:
        """Returns ẑ over its gains, which the first pass begins with; the program is made with the passes' unit."""
        gains = interpolated(self.weights, self.model.hyper_log_gains).exp()
        mean = self.model.hyper_mean[None, :, None, None]
        decoded = (mean + rounded(z * gains - mean)) / gains
        return decoded, self.model.context_bias

    def _passes(self, hyper: tuple[Tensor, LevelBias], y: Tensor) -> Tensor:
        """All passes, on streams of one unit; returns ŷ."""
        decoded, bias = hyper
        reals, inputs, latents = self._run_passes(decoded, y)
        unit = stream_unit(*reals)
        net, b = self.model.hyper_synthesis, Builder(names.HYPER_SYNTHESIS)
        hyper_unit = largest(decoded) / names.CONTEXT_LIMIT
        self.arrays[names.HYPER_SCALE] = _fixed(self.hyper_fine_unit / hyper_unit)
        h = b.input(names.HYPER, hyper_unit, names.CONTEXT_LIMIT, decoded)
        h = b.up(h, _of(nn.ConvTranspose2d, net[0]), "up1", relu=True)
        h = b.up(h, _of(nn.ConvTranspose2d, net[2]), "up2", relu=True)
        h = b.layer(h, _of(nn.Conv2d, net[4]), "conv", unit=unit, limit=STREAM_LIMIT)
        context = b.add(h, self._bias(b, bias, names.bias(1), unit), names.CONTEXT)
        self._keep(names.HYPER_SYNTHESIS, b, context)
        for k, (step, given) in enumerate(zip(self.model.passes, inputs, strict=True)):
            context = self._pass(k, _of(Pass, step), given, context)
        return latents

    def _run_passes(self, decoded: Tensor, y: Tensor) -> tuple[list[Tensor], list[Tensor | None], Tensor]:
        """In real numbers: every stream, what each pass reads, and ŷ."""
        model = self.model
        context = model.context_bias(model.hyper_synthesis(decoded), self.weights)
        log_gains, std = interpolated(self.weights, model.log_gains), model.std[None, :, None, None]
        reals, latents = [context], torch.zeros_like(y)
        inputs: list[Tensor | None] = []
        seen: Tensor | None = None
        steps = iter(model.passes)
        start = 0
        for size, parities in model.groups:
            part = slice(start, start + size)
            for mask in parity_masks(y)[:parities] if parities == 2 else (torch.ones(1, 1, 1, 1),):
                step = _of(Pass, next(steps))
                inputs.append(seen)
                context, mean, _ = step(context, seen)
                reals += [context, step.block(context)]
                gains = log_gains[:, part].exp()
                mean = mean * MEAN_SPEED * std[:, part]
                fresh = mask * (mean + rounded((y[:, part] - mean) * gains) / gains)
                latents[:, part] += fresh
                seen = (fresh / self.spread[:, part]).clamp(-names.CONTEXT_REACH, names.CONTEXT_REACH)
            start += size
        return reals, inputs, latents

    def _pass(self, k: int, step: Pass, given: Tensor | None, before: Value) -> Value:
        b, name = Builder(names.step(k)), names.step(k)
        unit = float(before.unit)
        context = b.take(before, names.CONTEXT)
        if given is not None:
            seen = b.input(names.DECODED, names.CONTEXT_UNIT, names.CONTEXT_LIMIT, given)
            assert step.read is not None
            read = b.layer(seen, step.read, "read", unit=unit, limit=STREAM_LIMIT)
            context = b.add(context, read, names.CONTEXT_AFTER)
        h = b.block(context, step.block, "block")
        hidden = b.layer(b.narrow(h, "hidden_in", relu=True), step.hidden, "hidden", relu=True)
        predicts = step.head.out_channels // 2
        units = torch.full((2 * predicts,), MEAN_UNIT / MEAN_SPEED, dtype=torch.float64)
        units[predicts:] = log_step() / SUBSTEPS
        head = b.layer(hidden, step.head, names.PREDICTION, unit=units, limit=MUCH, largest_weight=MUCH)
        self._keep(name, b, *([context] if given is not None else []), head)
        return context

    def _synthesis(self, latents: Tensor) -> None:
        net, b = self.model.synthesis, Builder(names.SYNTHESIS)
        limit = names.CONTEXT_LIMIT
        given = (latents / self.spread.sqrt()).clamp(-names.CONTEXT_REACH, names.CONTEXT_REACH)
        h = b.input(names.LATENTS, names.CONTEXT_UNIT, limit, given)
        real = net.head(given)
        for k, (stage, module) in enumerate(zip(net.blocks, net.biases, strict=True)):
            bias = _of(LevelBias, module)
            real = real + interpolated(self.weights, bias.table)
            unit, real = self._stage_unit(stage, real)
            if k == 0:
                h = b.layer(h, net.head, "head", unit=unit, limit=STREAM_LIMIT)
            else:
                h = b.up(
                    b.narrow(h, f"up{k}_in"),
                    _of(nn.ConvTranspose2d, net.up[k - 1]),
                    f"up{k}",
                    unit=unit,
                    limit=STREAM_LIMIT,
                )
            h = b.add(h, self._bias(b, bias, names.bias(k + 1), unit), f"stage{k + 1}_biased")
            h = self._stage(b, h, stage, f"stage{k + 1}")
            real = net.up[k](real) if k < 2 else real
        path = b.layer(
            b.narrow(h, "tail_in"), net.tail, "tail", unit=names.PIXEL_UNIT, limit=FINE_LIMIT, largest_weight=MUCH
        )
        reach = LINEAR_REACH * latents.abs().amax((0, 2, 3)).double() + STEP_UNITS * self.fine_unit
        linear_unit = torch.maximum(reach / LINEAR_LIMIT, LINEAR_UNITS * self.fine_unit)
        bounds = torch.ceil(reach / linear_unit)
        self.arrays[names.LINEAR_LIMIT] = bounds.numpy().astype(np.int32)
        x = b.input(names.LINEAR, linear_unit, bounds, latents)
        kernel = net.linear.kernel.flatten(1).T[:, :, None, None]  # (768, C, 1, 1), in the order of a shuffle by 16
        linear = b.fine_linear(x, kernel, "linear_flat", unit=names.PIXEL_UNIT, limit=FINE_LIMIT)
        whole = b.add(b.shuffle(linear, 16, "linear_pixels"), b.shuffle(path, 4, "path_pixels"), names.PIXELS)
        self._keep(names.SYNTHESIS, b, whole)
        self.arrays[names.LINEAR_SCALE] = _fixed(self.fine_unit / linear_unit)

    def _steps(self) -> None:
        """Quantisation steps and positions among the tables, for all qualities; scales between integers."""
        model = self.model
        log_gains = self._by_quality(model.log_gains)
        spread = model.spread(self.quality_weights)[:, :, 0, 0].double()
        hyper_gains = self._by_quality(model.hyper_log_gains).exp()
        self.arrays |= {
            names.STEP: _rounded(1 / log_gains.exp() / self.fine_unit),
            names.TABLE: _table_number(model.base_log_scale(self.quality_weights)[:, :, 0, 0].double()),
            names.HYPER_STEP: _rounded(1 / hyper_gains / self.hyper_fine_unit),
            names.HYPER_MEAN: _rounded(model.hyper_mean.double() / hyper_gains / self.hyper_fine_unit),
            names.HYPER_TABLE: _table_number(self._by_quality(model.hyper_log_scale)),
            names.CONTEXT_SCALE: _fixed(self.fine_unit / spread / names.CONTEXT_UNIT),
            names.MEAN_SCALE: _fixed(MEAN_UNIT * self.std / self.fine_unit),
            names.SYNTHESIS_SCALE: _fixed(self.fine_unit / spread.sqrt() / names.CONTEXT_UNIT),
            names.DISTORTION: self._distortion(),
        }

    def _distortion(self) -> NDArray[np.int64]:
        """(100, C): what an error of one fine unit costs, in 2^-32 bits: λ 255² / 3 unit²."""
        lambdas = self.model.lambdas(quality_levels(self.model.levels)).double()
        price = lambdas[:, None] * 255**2 / 3 * self.fine_unit.square()
        return torch.round(price * 2**32).numpy().astype(np.int64)

    @staticmethod
    def _stage_unit(stage: nn.Module, real: Tensor) -> tuple[float, Tensor]:
        """The unit of a stream through some blocks, and what comes out of them."""
        reals = [real]
        for block in stage.children():
            reals.append(block(reals[-1]))
        return stream_unit(*reals), reals[-1]

    @staticmethod
    def _stage(b: Builder, h: Value, stage: nn.Module, name: str) -> Value:
        for k, block in enumerate(stage.children()):
            h = b.block(h, _of(ResidualBlock, block), f"{name}_block{k + 1}")
        return h


def on_pixels(kernel: Tensor) -> Tensor:
    """A kernel (O, 48, 3, 3) on pixels unshuffled by 4, as one of (O, 3, 12, 12) with stride 4 on the pixels."""
    split = kernel.reshape(-1, 3, 4, 4, 3, 3).permute(0, 1, 4, 2, 5, 3)
    return split.reshape(-1, 3, 12, 12)


def _of(kind: type[_Module], module: nn.Module) -> _Module:
    """A layer whose kind is known, out of a list that only knows modules."""
    assert isinstance(module, kind)
    return module


def _bias_of(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias


def _fixed(scale: Tensor) -> NDArray[np.int64]:
    """Factors as integers, over 2^20."""
    return torch.round(scale * 2**FIXED_POINT_BITS).numpy().astype(np.int64)


def _rounded(values: Tensor) -> NDArray[np.int32]:
    return torch.round(values).numpy().astype(np.int32)


def _table_number(log_scale: Tensor) -> NDArray[np.int32]:
    """Where a scale stands among the tables, in sixteenths."""
    return _rounded(SUBSTEPS * (log_scale - np.log(SMALLEST)) / log_step())
