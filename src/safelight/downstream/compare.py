"""A comparison: labelled pictures drawn by seed, variants made, arms trained side by side."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.dataset import choose_form, open_set
from safelight.downstream.arms import Arm, ArmScore
from safelight.downstream.build import ArmBuilder
from safelight.downstream.check import check, open_vae
from safelight.downstream.sets import check_honest, draw_labelled, open_parts, open_pool
from safelight.downstream.settings import VerdictSettings
from safelight.downstream.train import train_arm
from safelight.runtime.machine import cores
from safelight.work import OnProgress, Processes, Progress, silent


@dataclass(frozen=True)
class Comparison:
    """What was measured, as plain data."""

    counts: dict[str, int]
    """labelled (of one seed), test, unlabelled, seen_by_vae"""
    balanced: bool
    """Whether accuracies are averages over classes, since the test's are not about equally large."""
    test_labels: NDArray[np.int64]
    scores: tuple[ArmScore, ...]
    notes: tuple[str, ...]
    """What a reader must know."""

    def weights(self) -> NDArray[np.float64]:
        """(P,): what each test picture counts."""
        classes, of_picture, sizes = np.unique(self.test_labels, return_inverse=True, return_counts=True)
        if not self.balanced:
            return np.full(len(of_picture), 1 / len(of_picture))
        return np.asarray(1 / (len(classes) * sizes[of_picture]))


def compare(settings: VerdictSettings, on_progress: OnProgress = silent) -> Comparison:
    """Check the comparison, then train every arm with every seed.

    Raises RecipeError, BundleError, and UsageError for what makes no fair comparison.
    """
    plan = check(settings)
    on_progress(Progress(0, 0, "reading pictures"))
    vae = open_vae(plan)
    images = open_set(settings.dataset, on_progress)
    form = vae.form if vae is not None else choose_form(images, plan.recipe.size_px, None, "crop")
    training, test = open_parts(settings, images, form, vae)
    notes = check_honest(settings, vae, training, test)
    pool = open_pool(settings, form, test)
    builder = ArmBuilder(plan=plan, vae=vae, classes=images.classes, training=training, test=test, pool=pool)
    if builder.balanced:
        notes = (*notes, "Accuracy is balanced: the average over classes.")
    scores = tuple(_trained(builder, on_progress))
    labelled = draw_labelled(settings, training, images.classes, settings.first_seed)
    return Comparison(
        counts={
            "labelled": len(labelled),
            "test": len(test.labels),
            "unlabelled": 0 if pool is None else len(pool),
            "seen_by_vae": 0 if vae is None else len(vae.training_identities),
        },
        balanced=builder.balanced,
        test_labels=test.labels,
        scores=scores,
        notes=(*notes, *builder.notes),
    )


def _trained(builder: ArmBuilder, on_progress: OnProgress) -> list[ArmScore]:
    """The arms of all seeds, each on one thread of a process of its own."""
    settings, scores = builder.plan.settings, list[ArmScore]()
    total = settings.seeds * (len(builder.plan.arms) + len(settings.sweep))

    def tell(what: str) -> None:
        on_progress(Progress(len(scores), total, what))

    def arms() -> Iterator[Arm]:
        for seed in range(settings.first_seed, settings.first_seed + settings.seeds):
            yield from builder.arms(seed, tell)

    for score in Processes(settings.workers or cores()).map(train_arm, arms()):
        scores.append(score)
        on_progress(Progress(len(scores), total, f"seed {score.seed}: {score.arm}"))
    return scores
