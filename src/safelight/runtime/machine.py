"""What this machine has."""

import os
import platform
from functools import cache
from pathlib import Path
from typing import Literal

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "fp32", "int8"]
"""What graphs run on, and what they compute in."""


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The processor's name, as the system tells it."""
    named = (line.partition(":")[2].strip() for line in _cpuinfo().splitlines() if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def multiplies_int8_fast() -> bool:
    """Whether the processor has instructions for dot products of 8-bit numbers, as far as Linux tells."""
    return not {"avx512_vnni", "avx_vnni", "asimddp"}.isdisjoint(_cpuinfo().split())


def multiplies_bfloat16_fast() -> bool:
    """Whether the processor has instructions for products of bfloat16 numbers, as far as Linux tells."""
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(_cpuinfo().split())


def kind_of_processor() -> str:
    """In words, what it is good at: processors of one name differ."""
    fast = {"8 bits": multiplies_int8_fast(), "bfloat16": multiplies_bfloat16_fast()}
    good_at = [name for name, is_fast in fast.items() if is_fast]
    return (
        f"with instructions for products of {' and '.join(good_at)}"
        if good_at
        else "without instructions for products of 8 bits"
    )


@cache
def _cpuinfo() -> str:
    """Linux's description of the processors; empty elsewhere."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""
