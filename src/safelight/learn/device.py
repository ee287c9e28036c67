"""The one place that says on which device training runs, and in which precision its layers compute."""

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from torch import nn

from safelight.errors import DeviceError, UsageError
from safelight.learn.recipe import Precision
from safelight.runtime.machine import multiplies_bfloat16_fast, processor

PROCESSOR = torch.device("cpu")
DEVICES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_Batch = TypeVar("_Batch", bound=tuple[Any, ...])
_taken = [PROCESSOR]
"""Where models train now; the last one counts."""


def training_device() -> torch.device:
    """The processor, but within `training_on`."""
    return _taken[-1]


def name_of_device() -> str:
    """What trains, in words, such as "AMD EPYC, 2 threads" or "NVIDIA H200"."""
    device = training_device()
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return (
        f"{processor()}, {torch.get_num_threads()} threads" if device == PROCESSOR else f"{processor()}, {device.type}"
    )


def found_device(asked: str) -> torch.device:
    """auto: an NVIDIA GPU if there is one. Of several processes each has a GPU of its own.

    Raises UsageError for a name that no device has, and DeviceError for one that is not there.
    """
    if DEVICES.fullmatch(asked) is None:
        raise UsageError(f"--device '{asked}': use auto, cpu, cuda, cuda:1 or mps")
    has_gpu = torch.cuda.is_available()
    name = ("cuda" if has_gpu else "cpu") if asked == "auto" else asked
    if name.startswith("cuda"):
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if name == "cuda" else name
        count = torch.cuda.device_count() if has_gpu else 0
        if int(name.split(":")[1]) >= count:
            raise DeviceError(f"--device {asked}: torch sees {count} NVIDIA GPUs here; use another, or --device cpu")
    if name == "mps" and not torch.backends.mps.is_available():
        raise DeviceError("--device mps: torch sees no Apple GPU here; use --device cpu")
    return torch.device(name)


def device_of_each(asked: str, processes: int, gpus: int | None = None) -> str:
    """What each of several processes takes: a GPU of its own, or all the processor. `gpus` None: those of this machine.

    Raises UsageError for a single device that several would share.
    """
    if processes > 1 and asked not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device {asked}: is for one process; use cuda or cpu with --processes {processes}")
    if asked != "auto":
        return asked
    count = torch.cuda.device_count() if gpus is None else gpus
    return "cuda" if count >= processes else "cpu"


@contextmanager
def training_on(device: torch.device) -> Iterator[None]:
    """Within the block models train on it, and new tensors are made there."""
    _taken.append(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    try:
        with nullcontext() if device == PROCESSOR else device:
            yield
    finally:
        _taken.pop()


def on_device(batch: _Batch) -> _Batch:
    """A named tuple of tensors, or of None, on the training device."""
    device = training_device()
    if device == PROCESSOR:
        return batch
    moved = [part if part is None else _pinned(part).to(device, non_blocking=device.type == "cuda") for part in batch]
    make: Any = type(batch)
    there: _Batch = make(*moved)
    return there


def _pinned(part: torch.Tensor) -> torch.Tensor:
    """In memory that a GPU can fetch by itself."""
    return part.pin_memory() if training_device().type == "cuda" and part.device == PROCESSOR else part


def place(model: nn.Module) -> None:
    """Move a model to the training device, in the memory layout in which convolutions are fastest."""
    model.to(device=training_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]


def layer_precision(asked: Precision) -> torch.dtype:
    """What layers compute in: `auto` is bfloat16 where the processor has instructions for it, else float32.

    Without such instructions bfloat16 is emulated, and can be ten times slower than float32 (docs/lab-notebook.md).
    """
    kind = training_device().type
    fast = (
        multiplies_bfloat16_fast()
        if kind == "cpu"
        else kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    )
    return torch.bfloat16 if asked == "bfloat16" or (asked == "auto" and fast) else torch.float32


def autocast(asked: Precision) -> AbstractContextManager[None]:
    """Within the block layers compute in that precision. Weights, moments and likelihoods stay float32."""
    if layer_precision(asked) == torch.float32:
        return nullcontext()
    block: AbstractContextManager[None] = torch.autocast(training_device().type, torch.bfloat16)
    return block
