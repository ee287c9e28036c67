"""The one place that says on which device training runs, and in which precision its layers compute."""

from contextlib import AbstractContextManager

import torch
from torch import nn

from safelight.learn.recipe import Precision
from safelight.runtime.machine import multiplies_bfloat16_fast


def training_device() -> torch.device:
    """The processor, in this version."""
    return torch.device("cpu")


def place(model: nn.Module) -> None:
    """Move a model to the training device, in the memory layout in which convolutions are fastest."""
    model.to(device=training_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]


def layer_precision(asked: Precision) -> torch.dtype:
    """What layers compute in: `auto` is bfloat16 where the processor has instructions for it, else float32.

    Without such instructions bfloat16 is emulated, and can be ten times slower than float32 (docs/lab-notebook.md).
    """
    fast = multiplies_bfloat16_fast() if training_device().type == "cpu" else torch.cuda.is_bf16_supported()
    return torch.bfloat16 if asked == "bfloat16" or (asked == "auto" and fast) else torch.float32


def autocast(asked: Precision) -> AbstractContextManager[None]:
    """Within the block layers compute in that precision. Weights, moments and likelihoods stay float32."""
    dtype = layer_precision(asked)
    block: AbstractContextManager[None] = torch.autocast(
        training_device().type, torch.bfloat16, enabled=dtype == torch.bfloat16
    )
    return block
