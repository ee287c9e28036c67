"""One classifier, trained in one arm, on one thread."""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from safelight.dataset.form import unit
from safelight.downstream.arms import ARMS, Arm, ArmScore, Bytes
from safelight.downstream.batches import Batches
from safelight.downstream.network import SmallCnn

LEARNING_RATE, WEIGHT_DECAY, EMA = 2e-3, 0.05, 0.99
SURE, TRUSTED_AFTER = 0.8, 0.4
"""Probability above which the averaged network's class of an unlabelled picture is a target; and the share of the steps
over which the weight of these targets rises to 1."""
TAUGHT = 2.0
"""Weight of each lesson: a smooth absolute error in standard deviations (docs/lab-notebook.md)."""
LOOKS = 8
"""Times that accuracy is measured during training."""
LOOKED_AT = 1000
"""Test pictures of each look but the last."""
TESTED_AT_ONCE = 500


def train_arm(arm: Arm) -> ArmScore:
    """AdamW with one cycle of the learning rate; the averaged weights are tested."""
    torch.set_num_threads(1)
    torch.manual_seed(arm.seed)
    learner, batches, curve = _Learner(arm), Batches(arm), []
    optimiser = torch.optim.AdamW(learner.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    looks = {round((k + 1) * arm.steps / LOOKS) for k in range(LOOKS)}
    for step in range(arm.steps):
        optimiser.param_groups[0]["lr"] = _learning_rate(step / arm.steps)
        loss = learner.loss(batches, step)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        learner.average(step)
        if step + 1 in looks:
            some = arm.test_labels[:LOOKED_AT]
            right = _seen(learner.averaged, arm.test[:LOOKED_AT]) == some
            curve.append((step + 1, accuracy(right, some, arm.balanced)))
    right = _seen(learner.averaged, arm.test) == arm.test_labels
    return ArmScore(
        arm=arm.name,
        seed=arm.seed,
        noise=arm.noise,
        accuracy=accuracy(right, arm.test_labels, arm.balanced),
        curve=tuple(curve),
        right=right,
    )


def accuracy(right: NDArray[np.bool_], labels: NDArray[np.int64], balanced: bool) -> float:
    """Share of right ones, or the average of that over the classes that are there."""
    if not balanced:
        return float(right.mean())
    return float(np.mean([right[labels == k].mean() for k in np.unique(labels)]))


class _Learner:
    """The network of an arm, the average of its weights over time, and what it learns from."""

    def __init__(self, arm: Arm) -> None:
        height, width, channels = arm.train.shape[1:]
        self.arm = arm
        self.network = SmallCnn(channels, arm.classes, min(height, width))
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.heads = nn.ModuleList(nn.Linear(self.network.tail.in_features, part.shape[1]) for part in arm.lessons)

    def parameters(self) -> list[nn.Parameter]:
        """All that are trained."""
        return [*self.network.parameters(), *self.heads.parameters()]

    def loss(self, batches: Batches, step: int) -> Tensor:
        """Of the arm's kind, on the batches of a step."""
        x, targets = batches.labelled(step)
        if self.arm.pool is None:
            return _classification(self.network(x), targets)
        if ARMS[self.arm.name].consistent:
            plain, moved = batches.unlabelled(step)
            sure, guess = self.averaged(plain).softmax(dim=1).max(dim=1)
            logits, logits_of_moved = torch.split(self.network(torch.cat([x, moved])), [len(x), len(moved)])
            agreement = F.cross_entropy(logits_of_moved, guess, reduction="none") * (sure >= SURE)
            trust = min(1.0, step / self.arm.steps / TRUSTED_AFTER)
            consistent: Tensor = _classification(logits, targets) + trust * agreement.mean()
            return consistent
        moved, lessons = batches.taught(step)
        features, of_moved = torch.split(self.network.features(torch.cat([x, moved])), [len(x), len(moved)])
        errors = [F.smooth_l1_loss(head(of_moved), part) for head, part in zip(self.heads, lessons, strict=True)]
        return _classification(self.network.classify(features), targets) + TAUGHT * torch.stack(errors).sum()

    @torch.no_grad()
    def average(self, step: int) -> None:
        """Move the averaged weights towards the network's."""
        decay = min(EMA, (step + 1) / (step + 10))
        averaged, latest = self.averaged.state_dict(), self.network.state_dict()
        for slow, fast in zip(averaged.values(), latest.values(), strict=True):
            slow.lerp_(fast, 1 - decay) if slow.is_floating_point() else slow.copy_(fast)


def _learning_rate(share: float) -> float:
    """After that share of the steps: a short rise, then half a cosine."""
    return LEARNING_RATE * min(1.0, 20 * share + 0.05) * 0.5 * (1 + math.cos(math.pi * share))


def _classification(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits, targets, label_smoothing=0.05)


@torch.inference_mode()
def _seen(network: SmallCnn, pixels: Bytes) -> NDArray[np.int64]:
    """(N,): the class that is seen in each picture."""
    starts = range(0, len(pixels), TESTED_AT_ONCE)
    blocks = [network(torch.from_numpy(unit(pixels[k : k + TESTED_AT_ONCE]))).argmax(dim=1) for k in starts]
    seen: NDArray[np.int64] = torch.cat(blocks).numpy()
    return seen
