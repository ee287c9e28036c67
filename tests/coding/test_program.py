"""The law of the integer networks."""

from dataclasses import asdict

import numpy as np
import pytest

from safelight.coding.program import EXACT, Operation, Program, check_bounds, run
from safelight.errors import BundleError


def conv(weight: np.ndarray, bias: int = 0, shift: int = 0) -> dict[str, np.ndarray]:
    out = len(weight)
    return {"w.weight": weight, "w.bias": np.full(out, bias), "w.shift": np.full(out, shift)}


def test_a_convolution_sums_shifts_down_and_clamps():
    arrays = conv(np.array([[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]]), bias=2, shift=2)
    op = Operation("conv", ("x",), "y", weights="w", padding=1, low=-3, high=20)
    x = np.array([[[[1, 0], [0, -1]]]])
    out = run(Program({"x": (1,)}, (op,), ("y",)), arrays, {"x": x})["y"]
    sums = np.array([[5 - 9, 4 - 8], [2 - 6, 1 - 5]]) + 2
    np.testing.assert_array_equal(out[0, 0], np.clip(sums // 4, -3, 20))


def test_strides_shuffles_additions_and_shifts():
    arrays = conv(np.arange(16).reshape(4, 1, 2, 2))
    ops = (
        Operation("conv", ("x",), "c", weights="w", stride=2),
        Operation("shuffle", ("c",), "s", factor=2),
        Operation("add", ("s", "b"), "a"),
        Operation("shift", ("a",), "y", shift=1, low=0, high=50),
    )
    x = np.ones((1, 1, 4, 6), np.int64)
    out = run(Program({"x": (1,), "b": (7,)}, ops, ("y",)), arrays, {"x": x, "b": np.array(-7).reshape(1, 1, 1, 1)})
    one = np.clip((np.array([[6, 22], [38, 54]]) - 7 + 1) >> 1, 0, 50)
    np.testing.assert_array_equal(out["y"][0, 0], np.tile(one, (2, 3)))


def test_bounds_are_proved_layer_by_layer():
    op = Operation("conv", ("x",), "y", weights="w")
    weight = np.array([[[[1000]], [[-3000]]]])
    assert check_bounds(Program({"x": (4000,)}, (op,), ("y",)), conv(weight, bias=5)) == 16_000_005
    assert check_bounds(Program({"x": (4000, 10)}, (op,), ("y",)), conv(weight)) == 4_030_000
    with pytest.raises(BundleError, match=f"y: sums reach 20000000, and float32 is exact below {EXACT}"):
        check_bounds(Program({"x": (5000,)}, (op,), ("y",)), conv(weight))
    chain = (Operation("conv", ("x",), "c", weights="w", low=-7, high=9), Operation("add", ("c", "x"), "y"))
    assert check_bounds(Program({"x": (4000,)}, chain, ("y",)), conv(weight)) == 16_000_000
    too_much = (Operation("add", ("x", "x"), "y"),)
    with pytest.raises(BundleError, match="sums reach"):
        check_bounds(Program({"x": (EXACT // 2,)}, too_much, ("y",)), {})


def test_a_program_survives_json():
    op = Operation("conv", ("x",), "y", weights="w", stride=2, low=0, high=511)
    program = Program({"x": (1, 2)}, (op,), ("y",))
    assert Program.from_json(asdict(program)) == program
    for damaged in ({}, {"inputs": {}, "operations": [{"kind": "conv"}], "outputs": []}, {"inputs": 1}):
        with pytest.raises(BundleError, match="not of this version"):
            Program.from_json(damaged)
