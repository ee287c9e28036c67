"""What this machine has, as far as the system tells."""

import os

import pytest

from safelight.runtime import machine


def test_cores_are_those_that_may_be_used():
    assert 1 <= machine.cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("flags", "int8", "bfloat16"),
    [("fpu avx2", False, False), ("avx2 avx_vnni", True, False), ("avx512_vnni amx_bf16", True, True)],
)
def test_instructions_are_read_from_the_processor_s_flags(monkeypatch, flags, int8, bfloat16):
    monkeypatch.setattr(machine, "_cpuinfo", lambda: f"model name\t: A Processor\nflags\t: {flags}\n")
    assert machine.multiplies_int8_fast() == int8 and machine.multiplies_bfloat16_fast() == bfloat16
    assert machine.processor() == "A Processor"
