"""A decoder of .latent files that was written from docs/format.md alone, by somebody who had not seen Safelight's code.

Keep it so: when the page changes, change this file by reading the page. It imports nothing of Safelight.
"""

import hashlib
import json
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

WORD = 2**32
NUMBERS = {"I8": "<i1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "U32": "<u4"}


class StrangersBundle:
    """A codec, read from its folder."""

    def __init__(self, folder: Path) -> None:
        programs, integers = ((folder / name).read_bytes() for name in ("programs.json", "integers.safetensors"))
        self.digest = hashlib.sha256(programs + integers).digest()
        self.programs = json.loads(programs)
        self.groups = json.loads((folder / "card.json").read_text())["groups"]
        start = 8 + struct.unpack("<Q", integers[:8])[0]
        self.arrays = {
            name: np.frombuffer(integers[start:][slice(*one["data_offsets"])], NUMBERS[one["dtype"]])
            .reshape(one["shape"])
            .astype(np.int64)
            for name, one in json.loads(integers[8:start]).items()
            if name != "__metadata__"
        }
        ends = np.cumsum(self.arrays["tables.lengths"])[:-1]
        self.tables = np.split(self.arrays["tables.frequencies"], ends)

    def run(self, name: str, **values: np.ndarray) -> dict[str, np.ndarray]:
        program = self.programs[name]
        for key, limits in program["inputs"].items():
            assert (np.abs(values[key]) <= column(np.array(limits))).all(), (name, key)
        for op in program["operations"]:
            first, *rest = (values[key] for key in op["inputs"])
            if op["kind"] == "conv":
                result = self.conv(op, first)
            elif op["kind"] == "add":
                result = first + rest[0]
            elif op["kind"] == "shift":
                result = np.clip((first + ((1 << op["shift"]) >> 1)) >> op["shift"], op["low"], op["high"])
            else:
                r, (channels, height, width) = op["factor"], first.shape
                split = first.reshape(channels // r**2, r, r, height, width).transpose(0, 3, 1, 4, 2)
                result = split.reshape(channels // r**2, height * r, width * r)
            values[op["output"]] = result
        return {key: values[key] for key in program["outputs"]}

    def conv(self, op: dict, x: np.ndarray) -> np.ndarray:
        weight, bias, shift = (self.arrays[f"{op['weights']}.{part}"] for part in ("weight", "bias", "shift"))
        stride, padding = op["stride"], op["padding"]
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
        _, channels, rows, columns = weight.shape
        height, width = (x.shape[1] - rows) // stride + 1, (x.shape[2] - columns) // stride + 1
        sums = np.zeros((len(weight), height, width), np.int64)
        for i in range(rows):
            for j in range(columns):
                part = x[:, i : i + stride * height : stride, j : j + stride * width : stride][:, :height, :width]
                sums += (weight[:, :, i, j] @ part.reshape(channels, -1)).reshape(sums.shape)
        sums += column(bias)
        assert np.abs(sums).max() < 2**24
        return np.clip(sums >> column(shift), op["low"], op["high"])


class StrangersReader:
    """The range decoder."""

    def __init__(self, stream: bytes, tables: list[np.ndarray]) -> None:
        self.words = iter(struct.unpack(f"<{len(stream) // 4}I", stream))
        self.tables, self.lower, self.range = tables, 0, 2**64 - 1
        self.point = WORD * next(self.words, 0) + next(self.words, 0)

    def entry(self, table: np.ndarray) -> int:
        ends = np.cumsum(table)
        scale = self.range >> 24
        quantile = ((self.point - self.lower) % 2**64) // scale
        assert quantile < 2**24
        entry = int(np.searchsorted(ends, quantile, side="right"))
        before, own = int(ends[entry] - table[entry]), int(table[entry])
        self.lower, self.range = (self.lower + scale * before) % 2**64, scale * own
        if self.range < WORD:
            self.lower, self.range = self.lower * WORD % 2**64, self.range * WORD
            self.point = self.point * WORD % 2**64 + next(self.words, 0)
        return entry

    def bit(self) -> int:
        return self.entry(np.array([2**23, 2**23]))

    def escape(self, reach: int) -> int:
        is_negative, digits, d = self.bit(), 0, 1
        while self.bit():
            digits += 1
        for _ in range(digits):
            d = 2 * d + self.bit()
        return -(reach + d) if is_negative else reach + d

    def step(self, numbers: np.ndarray) -> np.ndarray:
        symbols, escaped = np.zeros(len(numbers), np.int64), {}
        for k in np.argsort(numbers, kind="stable"):
            table = self.tables[numbers[k]]
            reach, entry = (len(table) - 2) // 2, self.entry(table)
            symbols[k] = entry - reach
            if entry == len(table) - 1:
                escaped[int(k)] = reach
        for k in sorted(escaped):
            symbols[k] = self.escape(escaped[k])
        return symbols


class Decoded(NamedTuple):
    """What a file holds."""

    pixels: np.ndarray
    extras: dict[int, object]


def decode(data: bytes, bundle: StrangersBundle) -> Decoded:
    reader = _Bytes(data)
    assert reader.take(8) == bytes.fromhex("894C41540D0A1A0A") and reader.take(1) == b"\1"
    assert reader.take(32) == bundle.digest
    width, height = reader.number(), reader.number()
    flags, bits, quality = reader.take(3)
    pixels_crc = reader.crc()
    extras = [(reader.take(1)[0], reader.number(), reader.crc()) for _ in range(reader.number())]
    rows, columns = -(-height // 16), -(-width // 16)
    tiles = [(y, x) for y in parts(rows) for x in parts(columns)]
    streams = [(reader.number(), reader.crc()) for _ in tiles]
    end = reader.at
    assert reader.crc() == zlib.crc32(data[:end])
    found = {kind: _extra(kind, reader.checked(length, crc), bits, (height, width)) for kind, length, crc in extras}
    latents = np.zeros((sum(group["channels"] for group in bundle.groups), rows, columns), np.int64)
    for (y, x), (length, crc) in zip(tiles, streams, strict=True):
        size = y.stop - y.start, x.stop - x.start
        latents[:, y, x] = _tile(bundle, reader.checked(length, crc), quality, size)
    v = _pixels(bundle, latents, quality)[:, :height, :width]
    if flags & 1:
        v = (19595 * v[:1] + 38470 * v[1:2] + 7471 * v[2:] + 2**15) >> 16
    whole = (v + 128) >> 8 if bits == 8 else (257 * v + 128) >> 8
    pixels = whole.transpose(1, 2, 0).astype("<u1" if bits == 8 else "<u2")
    assert zlib.crc32(pixels.tobytes()) == pixels_crc
    return Decoded(pixels, found)


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def crc(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def checked(self, length: int, crc: int) -> bytes:
        content = self.take(length)
        assert zlib.crc32(content) == crc
        return content


def _extra(kind: int, content: bytes, bits: int, size: tuple[int, int]) -> object:
    if kind == 5:
        return struct.unpack("<2d", content)
    plain = zlib.decompress(content)
    if kind != 6:
        return plain
    rows = np.frombuffer(plain, "<u1" if bits == 8 else "<u2").reshape(size)
    return np.cumsum(rows, axis=0, dtype=rows.dtype)


def parts(n: int) -> list[slice]:
    p, u = -(-n // 64), -(-n // 4)
    starts = [4 * (u * k // p) for k in range(p)]
    return [slice(*pair) for pair in zip(starts, [*starts[1:], n], strict=True)]


def column(values: np.ndarray) -> np.ndarray:
    return values[:, None, None]


def factor(x: np.ndarray, factors: np.ndarray) -> np.ndarray:
    return (x * column(factors) + 2**19) >> 20


def _tile(bundle: StrangersBundle, stream: bytes, quality: int, size: tuple[int, int]) -> np.ndarray:
    arrays, row, (height, width) = bundle.arrays, quality - 1, size
    reader = StrangersReader(stream, bundle.tables)

    def table(t: np.ndarray) -> np.ndarray:
        return np.clip((t + 8) // 16, 0, len(bundle.tables) - 1)

    squares = -(-height // 4), -(-width // 4)
    numbers = np.repeat(table(arrays["hyper.table"][row]), squares[0] * squares[1])
    symbols = reader.step(numbers).reshape(-1, *squares)
    hyper = column(arrays["hyper.mean"][row]) + symbols * column(arrays["hyper.step"][row])
    given = np.clip(factor(hyper, arrays["hyper.to_context"]), -512, 512)
    bias = column(arrays["hyper-synthesis.bias_1"][row])
    context = bundle.run("hyper-synthesis", hyper=given, bias_1=bias)["context"][:, :height, :width]
    parity = np.add.outer(np.arange(height), np.arange(width)) % 2
    latents = np.zeros((sum(group["channels"] for group in bundle.groups), *size), np.int64)
    inputs, start, number = {"context": context}, 0, 0
    for group in bundle.groups:
        own = slice(start, start + group["channels"])
        for mask in (parity == 0, parity == 1) if group["parities"] == 2 else (parity >= 0,):
            out = bundle.run(f"pass-{number}", **inputs)
            means, t = np.split(out["prediction"], 2)
            means = factor(means, arrays["latents.from_mean"][own])
            numbers = table(t + column(arrays["latents.table"][row, own]))
            fresh = np.zeros_like(means)
            symbols = reader.step(numbers[:, mask].ravel()).reshape(len(means), -1)
            fresh[:, mask] = means[:, mask] + symbols * arrays["latents.step"][row, own][:, None]
            latents[own] += fresh
            decoded = np.clip(factor(fresh, arrays["latents.to_context"][row, own]), -512, 512)
            inputs = {"context": out.get("context_after", inputs["context"]), "decoded": decoded * mask}
            number += 1
        start = own.stop
    return latents


def _pixels(bundle: StrangersBundle, latents: np.ndarray, quality: int) -> np.ndarray:
    """The numbers v, (3, 16 H, 16 W)."""
    arrays, row = bundle.arrays, quality - 1
    limit = column(arrays["latents.linear_limit"])
    inputs = {
        "latents": np.clip(factor(latents, arrays["latents.to_synthesis"][row]), -512, 512),
        "linear": np.clip(factor(latents, arrays["latents.to_linear"]), -limit, limit),
    }
    inputs |= {f"bias_{k}": column(arrays[f"synthesis.bias_{k}"][row]) for k in (1, 2, 3)}
    return np.clip(bundle.run("synthesis", **inputs)["pixels"] + 32640, 0, 65280)
