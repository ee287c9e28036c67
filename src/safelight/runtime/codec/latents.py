"""From latents to bytes and back: the entropy model's passes, once, for writing and for reading.

All numbers here are integers. A latent is y = μ + symbol · step, in *fine units* of its channel.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from safelight.bundle.codec import names
from safelight.coding.entropy import Coder, SymbolReader
from safelight.coding.program import Integers
from safelight.coding.tables import COST_UNITS, LONGEST_REACH, SUBSTEPS
from safelight.runtime.codec.networks import Engine

HYPER_FACTOR = 4
"""One position of the coarse rung stands for so many of the fine rung, in both directions."""


class Pass(NamedTuple):
    """What one step of the entropy model is about."""

    channels: slice
    parity: int | None
    """0 or 1: positions whose row and column have an even or an odd sum. None: all of them."""


class Expected(NamedTuple):
    """What the entropy model says of some latents, each array one value for a latent."""

    mean: Integers
    step: Integers
    table: Integers
    """Number of the probability table."""


class Sink(Protocol):
    """Takes symbols, as `SymbolWriter` does."""

    def write(self, symbols: Integers, numbers: Integers) -> None: ...


class Transfer(Protocol):
    """Writes symbols, or reads them."""

    def hyper(self, expected: Expected) -> Integers:
        """Symbols of the coarse rung, flat."""
        ...

    def latents(self, expected: Expected, step: Pass) -> Integers:
        """Symbols of one pass, flat."""
        ...


@dataclass(frozen=True)
class LatentCoder:
    """The entropy model of one codec."""

    engine: Engine
    arrays: Mapping[str, NDArray[np.integer]]
    groups: Sequence[tuple[int, int]]
    """(channels, 1 or 2 parities) of the fine rung, in their order."""
    coder: Coder

    @cached_property
    def passes(self) -> list[Pass]:
        """All steps in their order."""
        return list(_passes(self.groups))

    def table(self, name: str, quality: int) -> Integers:
        """A row of a table by quality, 1 to 100, as (C, 1, 1)."""
        row: Integers = self.arrays[name][quality - 1].astype(np.int64)[:, None, None]
        return row

    def factor(self, name: str) -> Integers:
        """A factor for each channel, (C, 1, 1), in fixed point."""
        factor: Integers = self.arrays[name].astype(np.int64)[:, None, None]
        return factor

    def code(self, size: tuple[int, int], quality: int, transfer: Transfer) -> Integers:
        """All latents of a tile of (height, width) positions, (C, height, width), coded by `transfer`."""
        context = self._context(size, quality, transfer)
        latents = np.zeros((self.passes[-1].channels.stop, *size), np.int64)
        decoded: dict[str, Integers] = {}
        scale = self.table(names.CONTEXT_SCALE, quality)
        for number, step in enumerate(self.passes):
            out = self.engine.run(names.step(number), {names.CONTEXT: context} | decoded)
            context = out.get(names.CONTEXT_AFTER, context)
            place = positions(size, step.parity)
            expected = self._expected(out[names.PREDICTION][0], step, place, quality)
            symbols = transfer.latents(expected, step)
            fresh = np.zeros((step.channels.stop - step.channels.start, *size), np.int64)
            fresh[:, place] = (expected.mean + symbols * expected.step).reshape(len(fresh), -1)
            latents[step.channels] += fresh
            decoded = {names.DECODED: for_networks(fresh, scale[step.channels])[None]}
        return latents

    def _context(self, size: tuple[int, int], quality: int, transfer: Transfer) -> Integers:
        """What the coarse rung says, (1, width, H, W)."""
        height, width = (-(-side // HYPER_FACTOR) for side in size)
        mean, step = (self.table(name, quality) for name in (names.HYPER_MEAN, names.HYPER_STEP))
        number = _table_number(self.table(names.HYPER_TABLE, quality), self.coder)
        flat = [np.broadcast_to(v, (len(mean), height, width)).ravel() for v in (mean, step, number)]
        symbols = transfer.hyper(Expected(*flat)).reshape(-1, height, width)
        given = for_networks(mean + symbols * step, self.factor(names.HYPER_SCALE))
        bias = self.table(f"{names.HYPER_SYNTHESIS}.{names.bias(1)}", quality)
        out = self.engine.run(names.HYPER_SYNTHESIS, {names.HYPER: given[None], names.bias(1): bias[None]})
        return out[names.CONTEXT][:, :, : size[0], : size[1]]

    def _expected(self, prediction: Integers, step: Pass, place: NDArray[np.bool_], quality: int) -> Expected:
        mean, log_scale = np.split(prediction[:, place], 2)
        mean = scaled(mean, self.factor(names.MEAN_SCALE)[step.channels, :, 0])
        base, size = (self.table(name, quality)[step.channels, :, 0] for name in (names.TABLE, names.STEP))
        number = _table_number(log_scale + base, self.coder)
        return Expected(mean.ravel(), np.broadcast_to(size, mean.shape).ravel(), number.ravel())


@dataclass(frozen=True)
class Writing:
    """Chooses symbols for latents that are given, and writes them."""

    model: LatentCoder
    writer: Sink
    latents_fine: Integers
    """(C, height, width)"""
    quality: int
    rate_weight: float
    """How much bits count beside errors when a symbol is chosen; at 0 the nearest one is taken."""

    def hyper(self, expected: Expected) -> Integers:
        """See `Transfer`."""
        model, (_, height, width) = self.model, self.latents_fine.shape
        given = for_networks(self.latents_fine, model.table(names.CONTEXT_SCALE, self.quality))
        given = np.pad(given, ((0, 0), (0, -height % HYPER_FACTOR), (0, -width % HYPER_FACTOR)))
        z = model.engine.run(names.HYPER_ANALYSIS, {names.LATENTS: given[None]})[names.HYPER]
        return self._written(nearest(z.ravel() - expected.mean, expected.step), expected)

    def latents(self, expected: Expected, step: Pass) -> Integers:
        """See `Transfer`."""
        part = self.latents_fine[step.channels]
        place = positions((part.shape[1], part.shape[2]), step.parity)
        error = part[:, place].ravel() - expected.mean
        symbols = nearest(error, expected.step)
        if self.rate_weight:
            price = self.model.arrays[names.DISTORTION][self.quality - 1, step.channels]
            symbols = self._cheaper(symbols, error, expected, np.repeat(price, int(place.sum())))
        return self._written(symbols, expected)

    def _written(self, symbols: Integers, expected: Expected) -> Integers:
        self.writer.write(symbols, expected.table)
        return symbols

    def _cheaper(self, symbols: Integers, error: Integers, expected: Expected, price: Integers) -> Integers:
        """One step towards zero wherever the bits that it saves are worth more than the error that it adds."""
        smaller = symbols - np.sign(symbols)
        costs = self.model.coder.tables.costs
        bits = [costs[expected.table, np.clip(s, -LONGEST_REACH - 1, LONGEST_REACH + 1) + LONGEST_REACH + 1]
                for s in (symbols, smaller)]  # fmt: skip
        added = (error - smaller * expected.step) ** 2 - (error - symbols * expected.step) ** 2
        saved = self.rate_weight * (bits[0] - bits[1]) / COST_UNITS
        return np.where(saved * 2.0**32 > added * price.astype(np.float64), smaller, symbols)


@dataclass(frozen=True)
class Reading:
    """Reads symbols."""

    reader: SymbolReader

    def hyper(self, expected: Expected) -> Integers:
        """See `Transfer`."""
        return self.reader.read(expected.table)

    def latents(self, expected: Expected, step: Pass) -> Integers:
        """See `Transfer`."""
        return self.reader.read(expected.table)


def scaled(values: Integers, factor: Integers) -> Integers:
    """Values times a factor in fixed point."""
    return (values * factor + (1 << names.FIXED_POINT_BITS - 1)) >> names.FIXED_POINT_BITS


def for_networks(values: Integers, factor: Integers) -> Integers:
    """Fine integers as convolutions read them."""
    return np.clip(scaled(values, factor), -names.CONTEXT_LIMIT, names.CONTEXT_LIMIT)


def nearest(error: Integers, step: Integers) -> Integers:
    """The symbol whose multiple of the step is nearest."""
    return (2 * error + step) // (2 * step)


def positions(size: tuple[int, int], parity: int | None) -> NDArray[np.bool_]:
    """(height, width): which of them a pass is about."""
    rows, columns = np.ogrid[: size[0], : size[1]]
    return np.broadcast_to((rows + columns) % 2 == parity if parity is not None else np.True_, size)


def _passes(groups: Sequence[tuple[int, int]]) -> Iterator[Pass]:
    start = 0
    for channels, parities in groups:
        for parity in range(parities) if parities == 2 else [None]:
            yield Pass(slice(start, start + channels), parity)
        start += channels


def _table_number(substeps: Integers, coder: Coder) -> Integers:
    return np.clip((substeps + SUBSTEPS // 2) // SUBSTEPS, 0, len(coder.tables.lengths) - 1)
