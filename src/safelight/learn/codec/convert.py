"""A trained codec as programs of integers, and the tables of all its qualities."""

from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from safelight.bundle.codec import names
from safelight.coding.program import Program
from safelight.coding.tables import SUBSTEPS, log_step
from safelight.coding.tiling import BLOCK_PX
from safelight.ladder.codec import MEAN_SPEED, CodecNet, Pass
from safelight.ladder.symbols import parity_masks, rounded
from safelight.ladder.transforms import LIMIT, LevelBias, interpolated
from safelight.learn.codec.builder import Builder, largest, stream_unit
from safelight.learn.codec.data import Patches
from safelight.learn.codec.forms import RELU, Form, Kernel, Value
from safelight.learn.codec.levels import MEAN_UNIT, STEP_UNITS, Levels, fixed

TRANSFORM_WEIGHT = 511
"""The largest weights of analysis and synthesis: with 8 bits the pixels would lose up to 0.03 dB more."""
LINEAR_UNITS, LINEAR_LIMIT, LINEAR_REACH = 2, 4095, 4.0
"""The linear transform reads latents in so many fine units or more, of at most this magnitude, and up to so many times
the largest ones seen: what it reads in more digits, its weights have not.
"""


_Module = TypeVar("_Module", bound=nn.Module)


class Converted(NamedTuple):
    """All that a codec computes, in integers."""

    programs: dict[str, Program]
    arrays: dict[str, NDArray[np.integer]]
    """Weights of the programs, and tables by quality."""


@torch.no_grad()
def convert(model: CodecNet, patches: Patches) -> Converted:
    """The integers of a network of real numbers; units are chosen by what it computes on the patches."""
    return _Conversion(model, patches).convert()


class _Conversion:
    """The network, the patches, and what is made of them."""

    def __init__(self, model: CodecNet, patches: Patches) -> None:
        self.model, self.weights = model, model.level_weights(patches.level)
        self.pixels = patches.pixels
        self.levels = Levels(model)
        self.spread = model.spread(self.weights)
        self.arrays: dict[str, NDArray[np.integer]] = {}
        self.programs: dict[str, Program] = {}

    def convert(self) -> Converted:
        y = self._analysis()
        z = self._hyper_analysis(y)
        latents = self._passes(self._hyper_synthesis(z), y)
        self._synthesis(latents)
        return Converted(self.programs, self.arrays | self.levels.tables())

    def _keep(self, name: str, builder: Builder, *outputs: Value) -> None:
        self.programs[name] = builder.program(*outputs)
        self.arrays |= builder.arrays

    def _bias(self, builder: Builder, bias: LevelBias, name: str, unit: Tensor) -> Value:
        """A level's bias as an input, (1, C, 1, 1), and its table of all qualities."""
        real = interpolated(self.weights, bias.table)
        table = torch.round(self.levels.by_quality(bias.table) / unit)
        self.arrays[f"{builder.prefix}.{name}"] = table.numpy().astype(np.int32)
        return builder.input(name, unit, int(table.abs().max()) + 1, real)

    def _analysis(self) -> Tensor:
        """Of pixels as integers about 128; returns y."""
        net, b = self.model.analysis, Builder(names.ANALYSIS, TRANSFORM_WEIGHT)
        half = 0.5 / 255  # integers are about 128, and the network was trained about 127.5
        x = b.input(names.PIXELS, 1 / 255, 128, self.pixels - 0.5 - half)
        bias = Kernel.of(net.head).bias + half * net.head.weight.sum((1, 2, 3))
        head = Kernel(on_pixels(net.head.weight), bias, stride=4, padding=4)
        h, real = x, head.on(x.real)
        for k, stage in enumerate(net.blocks):
            unit, after = _through(stage, real)
            read, kernel, name = (
                (b.narrow(h, f"down{k}_in"), Kernel.of(net.down[k - 1]), f"down{k}") if k else (x, head, "head")
            )
            h = b.blocks(b.conv(read, kernel, name, Form.stream(unit)), stage, f"stage{k + 1}")
            real = net.down[k](after) if k < 2 else after
        scale, fine = self.model.change_scale.flatten(), Form.fine(self.levels.fine_unit)
        tail = Kernel.of(net.tail)
        scaled = Kernel(tail.weight * scale[:, None, None, None], tail.bias * scale)
        path = b.conv(b.narrow(h, "tail_in"), scaled, "tail", fine)
        linear = Kernel(net.linear.kernel, half * net.linear.kernel.sum((1, 2, 3)), stride=BLOCK_PX)
        y = b.add(b.conv(x, linear, "linear", fine), path, names.LATENTS)
        self._keep(names.ANALYSIS, b, y)
        linear_op = next(op for op in b.operations if op.output == "linear")
        alone = Program(dict(b.inputs), (linear_op,), ("linear",))  # for what 16 bits have beyond 8
        self.programs[names.ANALYSIS_LINEAR] = alone
        return y.real

    def _hyper_analysis(self, y: Tensor) -> Tensor:
        """Returns z, before its gains."""
        net, b = self.model.hyper_analysis, Builder(names.HYPER_ANALYSIS)
        given = (y / self.spread).clamp(-LIMIT, LIMIT)
        h = b.input(names.LATENTS, names.CONTEXT_UNIT, names.CONTEXT_LIMIT, given)
        h = b.conv(h, Kernel.of(net[0]), "conv1", RELU)
        h = b.conv(h, Kernel.of(net[2]), "down1", RELU)
        z = b.conv(h, Kernel.of(net[4]), names.HYPER, Form.fine(self.levels.hyper_fine_unit))
        self._keep(names.HYPER_ANALYSIS, b, z)
        return z.real

    def _hyper_synthesis(self, z: Tensor) -> tuple[Tensor, LevelBias]:
        """Returns ẑ over its gains, which the first pass begins with; the program is made with the passes' unit."""
        gains = interpolated(self.weights, self.model.hyper_log_gains).exp()
        mean = self.model.hyper_mean[None, :, None, None]
        decoded = (mean + rounded(z * gains - mean)) / gains
        return decoded, self.model.context_bias

    def _passes(self, hyper: tuple[Tensor, LevelBias], y: Tensor) -> Tensor:
        """All passes, on streams with the same units; returns ŷ."""
        decoded, bias = hyper
        reals, inputs, latents = self._run_passes(decoded, y)
        unit = stream_unit(*reals)
        net, b = self.model.hyper_synthesis, Builder(names.HYPER_SYNTHESIS)
        hyper_unit = largest(decoded) / names.CONTEXT_LIMIT
        self.arrays[names.HYPER_SCALE] = fixed(self.levels.hyper_fine_unit / hyper_unit)
        h = b.input(names.HYPER, hyper_unit, names.CONTEXT_LIMIT, decoded)
        h = b.up(h, net[0], "up1", RELU)
        h = b.up(h, net[2], "up2", RELU)
        h = b.conv(h, Kernel.of(net[4]), "conv", Form.stream(unit))
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
                seen = (fresh / self.spread[:, part]).clamp(-LIMIT, LIMIT)
            start += size
        return reals, inputs, latents

    def _pass(self, k: int, step: Pass, given: Tensor | None, before: Value) -> Value:
        b, name = Builder(names.step(k)), names.step(k)
        context = b.take(before, names.CONTEXT)
        if given is not None:
            seen = b.input(names.DECODED, names.CONTEXT_UNIT, names.CONTEXT_LIMIT, given)
            assert step.read is not None
            read = b.conv(seen, Kernel.of(step.read), "read", Form.stream(before.unit))
            context = b.add(context, read, names.CONTEXT_AFTER)
        h = b.block(context, step.block, "block")
        hidden = b.conv(b.narrow(h, "hidden_in", relu=True), Kernel.of(step.hidden), "hidden", RELU)
        predicts = step.head.out_channels // 2
        units = torch.full((2 * predicts,), MEAN_UNIT / MEAN_SPEED, dtype=torch.float64)
        units[predicts:] = log_step() / SUBSTEPS
        head = b.conv(hidden, Kernel.of(step.head), names.PREDICTION, Form.fine(units))
        self._keep(name, b, *([context] if given is not None else []), head)
        return context

    def _synthesis(self, latents: Tensor) -> None:
        net, b = self.model.synthesis, Builder(names.SYNTHESIS, TRANSFORM_WEIGHT)
        given = (latents / self.spread.sqrt()).clamp(-LIMIT, LIMIT)
        h, real = b.input(names.LATENTS, names.CONTEXT_UNIT, names.CONTEXT_LIMIT, given), net.head(given)
        for k, (stage, module) in enumerate(zip(net.blocks, net.biases, strict=True)):
            bias = _of(LevelBias, module)
            unit, after = _through(stage, real + interpolated(self.weights, bias.table))
            if k == 0:
                h = b.conv(h, Kernel.of(net.head), "head", Form.stream(unit))
            else:
                h = b.up(b.narrow(h, f"up{k}_in"), net.up[k - 1], f"up{k}", Form.stream(unit))
            h = b.add(h, self._bias(b, bias, names.bias(k + 1), unit), f"stage{k + 1}_biased")
            h = b.blocks(h, stage, f"stage{k + 1}")
            real = net.up[k](after) if k < 2 else after
        path = b.conv(b.narrow(h, "tail_in"), Kernel.of(net.tail), "tail", Form.fine(names.PIXEL_UNIT))
        x = self._linear_input(b, latents)
        weight = net.linear.kernel.flatten(1).T[:, :, None, None]  # (768, C, 1, 1), in the order of a shuffle by 16
        linear = b.fine_linear(x, weight, "linear_flat", names.PIXEL_UNIT)
        whole = b.add(b.shuffle(linear, BLOCK_PX, "linear_pixels"), b.shuffle(path, 4, "path_pixels"), names.PIXELS)
        self._keep(names.SYNTHESIS, b, whole)

    def _linear_input(self, b: Builder, latents: Tensor) -> Value:
        """Latents as the linear transform reads them, with a unit and a limit for each channel."""
        fine = self.levels.fine_unit
        reach = LINEAR_REACH * latents.abs().amax((0, 2, 3)).double() + STEP_UNITS * fine
        unit = torch.maximum(reach / LINEAR_LIMIT, LINEAR_UNITS * fine)
        limit = torch.ceil(reach / unit)
        self.arrays[names.LINEAR_LIMIT] = limit.numpy().astype(np.int32)
        self.arrays[names.LINEAR_SCALE] = fixed(fine / unit)
        return b.input(names.LINEAR, unit, limit, latents)


def _through(stage: nn.Module, real: Tensor) -> tuple[Tensor, Tensor]:
    """The units of a stream through some blocks, and what comes out of them."""
    reals = [real]
    for block in stage.children():
        reals.append(block(reals[-1]))
    return stream_unit(*reals), reals[-1]


def on_pixels(kernel: Tensor) -> Tensor:
    """A kernel (O, 48, 3, 3) on pixels unshuffled by 4, as one of (O, 3, 12, 12) with stride 4 on the pixels."""
    split = kernel.reshape((-1, 3, 4, 4, 3, 3)).permute((0, 1, 4, 2, 5, 3))
    return split.reshape(-1, 3, 12, 12)


def _of(kind: type[_Module], module: nn.Module) -> _Module:
    """A layer whose kind is known, out of a list that only knows modules."""
    assert isinstance(module, kind)
    return module
