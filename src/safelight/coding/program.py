"""Networks of integers, and the law of what they compute.

A *program* is a list of operations on integers. `run` computes it in int64: what it says is right. Ordinary float32
kernels compute the same, to the bit, since every partial sum stays below 2^24 in magnitude, where float32 holds all
integers: then the order of summation, fused multiply-add, threads and tiles cannot change anything. `check_bounds`
proves that for a program. Ballé, Johnston & Minnen, "Integer networks for data compression with latent-variable
models", ICLR 2019.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from safelight.errors import BundleError

Integers = NDArray[np.int64]
EXACT = 2**24
"""Integers up to here are exact in float32."""
OperationKind = Literal["conv", "add", "shift", "shuffle"]


@dataclass(frozen=True)
class Operation:
    """One step: reads values by name, and names its result.

    conv        clamp(floor((W * x + b) / 2^s)): b holds half a unit for rounding; one s for each channel
    add         x + y, where y may be (1, C, 1, 1)
    shift       clamp(floor((x + 2^(s-1)) / 2^s)): one s for all channels
    shuffle     (r² C, H, W) → (C, r H, r W), as pixel shuffle
    """

    kind: OperationKind
    inputs: tuple[str, ...]
    output: str
    weights: str = ""
    """Of conv: `<weights>.weight` (O, I, k, k), `<weights>.bias` (O) and `<weights>.shift` (O)."""
    stride: int = 1
    padding: int = 0
    """Zeros on all sides."""
    shift: int = 0
    low: int = -EXACT
    high: int = EXACT
    factor: int = 1
    """r of shuffle."""


@dataclass(frozen=True)
class Program:
    """Operations in order."""

    inputs: dict[str, tuple[int, ...]]
    """Name → the largest magnitude that it may have: one for all channels, or one for each."""
    operations: tuple[Operation, ...]
    outputs: tuple[str, ...]

    @staticmethod
    def from_json(value: Any) -> "Program":
        """The inverse of `dataclasses.asdict`. Raises BundleError."""
        try:
            operations = [Operation(**{**op, "inputs": tuple(op["inputs"])}) for op in value["operations"]]
            inputs = {name: tuple(limits) for name, limits in value["inputs"].items()}
            return Program(inputs, tuple(operations), tuple(value["outputs"]))
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"its programs are not of this version ({error}); get the bundle again") from None


def run(program: Program, arrays: Mapping[str, NDArray[Any]], feeds: Mapping[str, Integers]) -> dict[str, Integers]:
    """The outputs for one picture, each (1, C, H, W), by int64 arithmetic: the law, and slow."""
    values = {name: np.asarray(value, np.int64) for name, value in feeds.items()}
    for op in program.operations:
        values[op.output] = _APPLY[op.kind](op, [values[name] for name in op.inputs], arrays)
    return {name: values[name] for name in program.outputs}


def _conv(op: Operation, inputs: list[Integers], arrays: Mapping[str, NDArray[Any]]) -> Integers:
    weight = arrays[f"{op.weights}.weight"].astype(np.int64)
    bias, shift = (arrays[f"{op.weights}.{part}"].astype(np.int64)[:, None, None] for part in ("bias", "shift"))
    side = weight.shape[2]
    padded = np.pad(inputs[0][0], ((0, 0), (op.padding, op.padding), (op.padding, op.padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(1, 2))[:, :: op.stride, :: op.stride]
    sums: Integers = np.einsum("oikl,ihwkl->ohw", weight, windows, optimize=True) + bias
    clamped: Integers = np.clip(sums >> shift, op.low, op.high)[None]
    return clamped


def _add(op: Operation, inputs: list[Integers], arrays: Mapping[str, NDArray[Any]]) -> Integers:
    return inputs[0] + inputs[1]


def _shift(op: Operation, inputs: list[Integers], arrays: Mapping[str, NDArray[Any]]) -> Integers:
    half = 1 << op.shift >> 1
    shifted: Integers = np.clip((inputs[0] + half) >> op.shift, op.low, op.high)
    return shifted


def _shuffle(op: Operation, inputs: list[Integers], arrays: Mapping[str, NDArray[Any]]) -> Integers:
    r, (_, channels, height, width) = op.factor, inputs[0].shape
    split = inputs[0].reshape((1, channels // r**2, r, r, height, width))
    return split.transpose((0, 1, 4, 2, 5, 3)).reshape(1, channels // r**2, height * r, width * r)


_APPLY = {"conv": _conv, "add": _add, "shift": _shift, "shuffle": _shuffle}


def check_bounds(program: Program, arrays: Mapping[str, NDArray[Any]]) -> int:
    """The largest magnitude that any partial sum can have, Σ|w| max|x| + |b|. Raises BundleError from 2^24 on."""
    limits = {name: np.array(limit, np.int64) for name, limit in program.inputs.items()}
    worst = max(int(limit.max()) for limit in limits.values())
    for op in program.operations:
        given = [limits[name] for name in op.inputs]
        largest = _largest(op, given, arrays)
        worst = max(worst, largest)
        if worst >= EXACT:
            raise BundleError(f"{op.output}: sums reach {worst}, and float32 is exact below {EXACT} only")
        limits[op.output] = np.array([_limit(op, largest, arrays)])
    return worst


def _largest(op: Operation, given: list[Integers], arrays: Mapping[str, NDArray[Any]]) -> int:
    """Of what the operation computes before it clamps."""
    if op.kind == "conv":
        sums = (np.abs(arrays[f"{op.weights}.weight"].astype(np.int64)).sum((2, 3)) * given[0]).sum(1)
        return int((sums + np.abs(arrays[f"{op.weights}.bias"].astype(np.int64))).max())
    if op.kind == "shift":
        return int(given[0].max()) + (1 << op.shift >> 1)
    return sum(int(limit.max()) for limit in given)


def _limit(op: Operation, largest: int, arrays: Mapping[str, NDArray[Any]]) -> int:
    """Of the result."""
    least_shift = int(arrays[f"{op.weights}.shift"].min()) if op.kind == "conv" else op.shift
    shifted = -(-largest >> least_shift) if op.kind in ("conv", "shift") else largest
    return min(shifted, max(abs(op.low), abs(op.high)))
