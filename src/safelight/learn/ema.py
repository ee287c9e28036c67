"""An exponential moving average of the weights: the ones that are evaluated and exported.

Polyak & Juditsky, 1992; early on the average is shorter, min(decay, (1 + n) / (10 + n)).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Ema:
    """Averages every parameter of a module."""

    def __init__(self, model: nn.Module) -> None:
        self.average = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def restart(self, model: nn.Module) -> None:
        """Begin anew with the weights as they are."""
        for name, parameter in model.named_parameters():
            self.average[name].copy_(parameter)

    @torch.no_grad()
    def update(self, model: nn.Module, decay: float, updates: int) -> None:
        """Average ← decay · average + (1 - decay) · weights. Weights that are frozen are their own average."""
        share = 1 - min(decay, (1 + updates) / (10 + updates))
        learning = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
        torch._foreach_lerp_([self.average[name] for name in learning], list(learning.values()), share)

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        """Overwrite the weights by their average."""
        for name, parameter in model.named_parameters():
            parameter.copy_(self.average[name])

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """Within the block the model has the averaged weights."""
        weights = {name: p.detach().clone() for name, p in model.named_parameters()}
        self.copy_to(model)
        try:
            yield
        finally:
            with torch.no_grad():
                for name, parameter in model.named_parameters():
                    parameter.copy_(weights[name])

    def state_dict(self) -> dict[str, Tensor]:
        """Name → averaged tensor."""
        return {name: tensor.contiguous() for name, tensor in self.average.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """The inverse of `state_dict`."""
        for name, tensor in self.average.items():
            tensor.copy_(state[name])
