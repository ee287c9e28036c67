"""The verb: train classifiers with and without an augmentation, and say whether it helps.

No torch is imported before a verdict is asked for.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.downstream.settings import VerdictSettings
from safelight.errors import RefusedError
from safelight.work import OnProgress, silent, write_whole

if TYPE_CHECKING:
    from safelight.downstream.compare import Comparison
    from safelight.downstream.judge import Interval, Verdict


@dataclass(frozen=True)
class VerdictReport:
    """What to do, and what it rests on."""

    title: str
    """Names of the recipe and of the set."""
    verdict: "Verdict"
    comparison: "Comparison"

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know."""
        return self.comparison.notes

    @property
    def counts_in_words(self) -> str:
        """How many pictures it rests on."""
        counts = self.comparison.counts
        unlabelled = f", {counts['unlabelled']} unlabelled" if counts["unlabelled"] else ""
        return f"{counts['labelled']} labelled pictures{unlabelled} to train on, {counts['test']} to test on"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        verdict, comparison = self.verdict, self.comparison
        return {
            "word": verdict.word,
            "verdict": verdict.sentence,
            "arms": {name: _finite(one) for name, one in verdict.arms.items()},
            "differences": {name: _finite(one) for name, one in verdict.differences.items()},
            "sweep": {str(noise): _finite(one) for noise, one in verdict.sweep.items()},
            "counts": comparison.counts,
            "balanced": comparison.balanced,
            "notes": list(self.notes),
            "results": [
                {"name": s.arm, "seed": s.seed, "noise": s.noise, "accuracy": s.accuracy, "curve": s.curve}
                for s in comparison.scores
            ],
        }

    @property
    def diagrams(self) -> list[str]:
        """Each as a file of SVG."""
        from safelight.downstream.page import plots
        from safelight.evaluation.page import svg_file

        return [svg_file(diagram) for diagram in plots(self.verdict, self.comparison.scores).values()]

    def write_page(self, path: Path) -> None:
        """One HTML file that needs no other. Raises OutputError."""
        from safelight.downstream.page import html

        write_whole(
            path, html(self.title, self.verdict, self.comparison.scores, (f"{self.counts_in_words}.", *self.notes))
        )


def verdict(settings: VerdictSettings, on_progress: OnProgress = silent) -> VerdictReport:
    """Train the arms and judge them.

    Raises RefusedError if a package is missing, RecipeError, BundleError, and UsageError for what makes no fair
    comparison.
    """
    try:
        from safelight.downstream.compare import compare
        from safelight.downstream.judge import judge
    except ModuleNotFoundError as error:
        raise RefusedError(f"a verdict needs '{error.name}'; see 'Augment a data set' in the README") from None
    comparison = compare(settings, on_progress)
    return VerdictReport(
        title=f"{settings.recipe.name} on {settings.dataset.name}",
        verdict=judge(comparison.scores, comparison.weights()),
        comparison=comparison,
    )


def _finite(one: "Interval") -> dict[str, float | None]:
    """For JSON, which has no infinity."""
    return {name: value if math.isfinite(value) else None for name, value in one._asdict().items()}
