"""One classifier, trained in one arm: with which pictures, moved how.

none               the labelled pictures
duplicates         the same, written several times
classic            moved by the recipe's classic steps, anew at each sight
vae                half of each batch are variants from the recipe's latent steps
classic_vae        those, moved by the classic steps as well
classic_pool       classic, and consistent on unlabelled pictures: where the averaged network is sure of one, the
                   network must say the same of it when moved (Sohn et al., "FixMatch", NeurIPS 2020)
classic_vae_pool   classic_vae, and consistent on unlabelled pictures and their variants
classic_vae_taught classic, and taught by the VAE: of moved unlabelled pictures the network must tell the latents

All arms of a seed have the same labelled pictures, first weights, number of steps and number of labelled pictures in a
step; all but duplicates have the same order of them. Those of unlabelled pictures see 64 of them more.
"""

import copy
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from safelight import randomness
from safelight.augment import Augment, Sample, apply, draw
from safelight.dataset.form import unit
from safelight.downstream.lessons import Lesson
from safelight.downstream.network import SmallCnn


class Kind(NamedTuple):
    """What an arm is made of."""

    classic: bool = False
    variants: bool = False
    consistent: bool = False
    taught: bool = False

    @property
    def needs_vae(self) -> bool:
        """Whether the recipe must have latent steps."""
        return self.variants or self.taught

    @property
    def needs_pool(self) -> bool:
        """Whether there must be unlabelled pictures."""
        return self.consistent or self.taught


ARMS = {
    "none": Kind(),
    "duplicates": Kind(),
    "classic": Kind(classic=True),
    "classic_pool": Kind(classic=True, consistent=True),
    "vae": Kind(variants=True),
    "classic_vae": Kind(classic=True, variants=True),
    "classic_vae_pool": Kind(classic=True, variants=True, consistent=True),
    "classic_vae_taught": Kind(classic=True, taught=True),
}
BATCH, POOL_BATCH = 32, 64
LEARNING_RATE, WEIGHT_DECAY, EMA = 2e-3, 0.05, 0.99
SURE, TRUSTED_AFTER = 0.8, 0.4
"""Probability above which the averaged network's word on an unlabelled picture is taken; and the share of the steps
over which its weight rises to 1."""
TAUGHT = 2.0
"""Weight of each lesson: a smooth absolute error in standard deviations (docs/lab-notebook.md)."""
LOOKS = 8
"""Times that accuracy is measured during training."""
LOOKED_AT = 1000
"""Test pictures of each look but the last."""
TESTED_AT_ONCE = 500
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Variants:
    """Pictures made from others, K of each."""

    pixels: Bytes
    """(N, K, H, W, C)"""
    targets: NDArray[np.float32]
    """(N, K, classes): soft labels; 0 where nothing is known of them."""


@dataclass(frozen=True)
class Arm:
    """What one classifier is trained on."""

    name: str
    seed: int
    classes: int
    steps: int
    train: Bytes
    """(N, H, W, C)"""
    labels: NDArray[np.int64]
    test: Bytes
    test_labels: NDArray[np.int64]
    balanced: bool = False
    """Whether accuracy is the average recall of the test's classes."""
    copies: int = 1
    """How often each picture is there."""
    classic: tuple[dict[str, Any], ...] = ()
    """Steps of a recipe."""
    border: str = "auto"
    variants: Variants | None = None
    pool: Bytes | None = None
    pool_variants: Variants | None = None
    lessons: tuple[Lesson, ...] = ()
    """Of the pool, if the arm is taught instead of consistent."""
    noise: float | None = None
    """How many times the recipe's latent noise, in a sweep of it."""


class ArmResult(NamedTuple):
    """How well one classifier does on the test pictures."""

    name: str
    seed: int
    noise: float | None
    accuracy: float
    """Of all test pictures; balanced if the arm says so."""
    curve: list[tuple[int, float]]
    """(steps, accuracy on the first thousand test pictures)"""
    right: NDArray[np.bool_]
    """(P,): which test pictures it gets right."""


def train_arm(arm: Arm) -> ArmResult:
    """AdamW with one cycle of the learning rate; the averaged weights are tested. On one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(arm.seed)
    height, width, channels = arm.train.shape[1:]
    model = SmallCnn(channels, arm.classes, min(height, width)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = copy.deepcopy(model).requires_grad_(False).eval()
    heads = nn.ModuleList(nn.Linear(model.tail.in_features, part.shape[1]) for part in arm.lessons)
    optimiser = torch.optim.AdamW(
        [*model.parameters(), *heads.parameters()], lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY
    )
    batches, curve = _Batches(arm), []
    looks = {round((k + 1) * arm.steps / LOOKS) for k in range(LOOKS)}
    for step in range(arm.steps):
        share = step / arm.steps
        optimiser.param_groups[0]["lr"] = (
            LEARNING_RATE * min(1.0, 20 * share + 0.05) * 0.5 * (1 + math.cos(math.pi * share))
        )
        x, targets = batches.labelled(step)
        if arm.pool is None:
            loss = _told(model(x), targets)
        elif ARMS[arm.name].consistent:
            plain, moved = batches.unlabelled(step)
            sure, guess = averaged(plain).softmax(dim=1).max(dim=1)
            told, says = model(torch.cat([x, moved])).split([len(x), len(moved)])
            agrees = F.cross_entropy(says, guess, reduction="none") * (sure >= SURE)
            loss = _told(told, targets) + min(1.0, share / TRUSTED_AFTER) * agrees.mean()
        else:
            moved, parts = batches.taught(step)
            told, shown = model.features(torch.cat([x, moved])).split([len(x), len(moved)])
            errors = [F.smooth_l1_loss(head(shown), part) for head, part in zip(heads, parts, strict=True)]
            loss = _told(model.classify(told), targets) + TAUGHT * torch.stack(errors).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.no_grad():
            decay = min(EMA, (step + 1) / (step + 10))
            for slow, fast in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
                slow.lerp_(fast, 1 - decay) if slow.is_floating_point() else slow.copy_(fast)
        if step + 1 in looks:
            some = arm.test_labels[:LOOKED_AT]
            curve.append((step + 1, accuracy(_seen(averaged, arm.test[:LOOKED_AT]) == some, some, arm.balanced)))
    right = _seen(averaged, arm.test) == arm.test_labels
    return ArmResult(arm.name, arm.seed, arm.noise, accuracy(right, arm.test_labels, arm.balanced), curve, right)


def _told(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits, targets, label_smoothing=0.05)


def accuracy(right: NDArray[np.bool_], labels: NDArray[np.int64], balanced: bool) -> float:
    """Share of right ones, or the average of that over the classes that are there."""
    if not balanced:
        return float(right.mean())
    return float(np.mean([right[labels == k].mean() for k in np.unique(labels)]))


class _Batches:
    """What an arm sees at each step: a function of its seed and the step."""

    def __init__(self, arm: Arm) -> None:
        self.arm = arm
        self.augment = Augment.of(arm.classic, border=arm.border) if arm.classic else None
        self.one_hot = np.eye(arm.classes, dtype=np.float32)

    def labelled(self, step: int) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) and (B, classes)."""
        arm = self.arm
        rng = randomness.generator(arm.seed, "batch", step, *(["again"] if arm.name == "duplicates" else []))
        chosen = rng.integers(arm.copies * len(arm.train), size=BATCH) // arm.copies
        pixels, targets = arm.train[chosen].copy(), self.one_hot[arm.labels[chosen]]
        if arm.variants is not None:
            half, which = chosen[::2], rng.integers(arm.variants.pixels.shape[1], size=BATCH // 2)
            pixels[::2] = arm.variants.pixels[half, which]
            targets[::2] = arm.variants.targets[half, which]
        return torch.from_numpy(unit(self._moved(pixels, step, "labelled"))), torch.from_numpy(targets)

    def unlabelled(self, step: int) -> tuple[Tensor, Tensor]:
        """Pictures of the pool as they are, and moved; (B, C, H, W) each."""
        arm = self.arm
        pixels, chosen, rng = self._of_pool(step)
        other = pixels
        if arm.pool_variants is not None:
            other = arm.pool_variants.pixels[chosen, rng.integers(arm.pool_variants.pixels.shape[1], size=POOL_BATCH)]
        return torch.from_numpy(unit(pixels)), torch.from_numpy(unit(self._moved(other, step, "pool")))

    def taught(self, step: int) -> tuple[Tensor, list[Tensor]]:
        """Pictures of the pool, moved, (B, C, H, W), and what is to be told of them, (B, D) for each lesson."""
        pixels, chosen, _ = self._of_pool(step)
        told = [torch.from_numpy(part[chosen]) for part in self.arm.lessons]
        return torch.from_numpy(unit(self._moved(pixels, step, "pool"))), told

    def _of_pool(self, step: int) -> tuple[Bytes, NDArray[np.int64], np.random.Generator]:
        assert self.arm.pool is not None
        rng = randomness.generator(self.arm.seed, "pool", step)
        chosen = rng.integers(len(self.arm.pool), size=POOL_BATCH)
        return self.arm.pool[chosen], chosen, rng

    def _moved(self, pixels: Bytes, step: int, stream: str) -> Bytes:
        if self.augment is None:
            return pixels
        recipe, seed = self.augment.recipe, self.arm.seed
        records = [draw(recipe, seed, (stream, step, k)) for k in range(len(pixels))]
        return np.stack([done.image for done in apply([Sample(image) for image in pixels], records, recipe.border)])


@torch.inference_mode()
def _seen(model: SmallCnn, pixels: Bytes) -> NDArray[np.int64]:
    """(N,): the class that is seen in each picture."""
    blocks = range(0, len(pixels), TESTED_AT_ONCE)
    found = [model(torch.from_numpy(unit(pixels[k : k + TESTED_AT_ONCE]))).argmax(dim=1) for k in blocks]
    seen: NDArray[np.int64] = torch.cat(found).numpy()
    return seen
