"""Muon: steps of equal size in every direction of a weight matrix.

    M ← β M + (1 - β) G,    W ← (1 - ηλ) W - 0.2 η √max(n, m) · U Vᵀ,    where M + β-lookahead = U S Vᵀ

Jordan, "Muon: an optimizer for hidden layers in neural networks", 2024. U Vᵀ comes from five
Newton-Schulz steps; the factor 0.2 √max(n, m) gives a step the root mean square of AdamW's
(Liu et al., "Muon is scalable for LLM training", arXiv:2502.16982), so one learning rate serves both.
A kernel of (O, I, h, w) is the matrix (O, I·h·w). torch.optim.Muon takes matrices only, one at a time;
here kernels of one shape go through the iteration together.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW

SMALLEST_SIDE = 16
"""Kernels with fewer channels on one side are a network's first and last: AdamW takes them."""
MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def is_hidden_kernel(parameter: nn.Parameter) -> bool:
    """Whether Muon is meant for it."""
    return parameter.ndim in (2, 4) and min(parameter.shape[:2]) >= SMALLEST_SIDE


class Muon(torch.optim.Optimizer):
    """Muon for `kernels`, and an AdamW for everything else, under one list of groups and one state."""

    def __init__(self, kernels: Iterable[nn.Parameter], rest: AdamW, lr: float, weight_decay: float) -> None:
        super().__init__(kernels, {"lr": lr, "weight_decay": weight_decay, "momentum": MOMENTUM})
        self.rest = rest
        self.param_groups += rest.param_groups

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient; there is no closure to call."""
        assert closure is None
        group, *rest_groups = self.param_groups
        self.rest.param_groups, self.rest.state = rest_groups, self.state  # whoever loads a state replaces both
        given = sorted((p for p in group["params"] if p.grad is not None), key=_matrix_shape)
        for _, same in itertools.groupby(given, key=_matrix_shape):
            self._update(list(same), group)
        self.rest.step()

    def _update(self, kernels: list[nn.Parameter], group: dict[str, Any]) -> None:
        looked_ahead = []
        for kernel in kernels:
            assert kernel.grad is not None
            state = self.state[kernel]
            momentum = state["momentum"] if state else state.setdefault("momentum", torch.zeros_like(kernel))
            momentum.lerp_(kernel.grad, 1 - group["momentum"])
            looked_ahead.append(kernel.grad.lerp(momentum, group["momentum"]).flatten(1))
        directions = orthogonalised(torch.stack(looked_ahead))
        size = 0.2 * max(directions.shape[1:]) ** 0.5
        for kernel, direction in zip(kernels, directions, strict=True):
            kernel.mul_(1 - group["lr"] * group["weight_decay"])
            kernel.add_(direction.view(kernel.shape), alpha=-group["lr"] * size)


def orthogonalised(matrices: Tensor, steps: int = 5) -> Tensor:
    """(N, n, m) → nearly U Vᵀ of each, singular values in about 0.7 to 1.2.

    Each Newton-Schulz step multiplies X by a polynomial of its Gram matrix X Xᵀ. Only the Gram matrix and
    the product of the polynomials are carried along: n x n arithmetic, three times as fast for kernels.
    """
    if matrices.shape[1] > matrices.shape[2]:
        transposed: Tensor = orthogonalised(matrices.mT, steps).mT
        return transposed
    a, b, c = NEWTON_SCHULZ
    x = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    identity = torch.eye(x.shape[1], dtype=x.dtype).expand(len(x), -1, -1)
    gram, product = x @ x.mT, identity
    for _ in range(steps):
        polynomial = a * identity + b * gram + c * gram @ gram
        product, gram = polynomial @ product, polynomial @ gram @ polynomial
    result: Tensor = product @ x
    return result


def _matrix_shape(kernel: nn.Parameter) -> tuple[int, int]:
    return kernel.shape[0], kernel[0].numel()
