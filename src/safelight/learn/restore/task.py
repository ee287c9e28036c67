"""A restoration ladder as a task: the mean first, then on it, finished, the posterior of the residual."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import nn

from safelight.ladder.restorer import Experts, RestorerNet
from safelight.learn.device import autocast
from safelight.learn.restore.data import Pair, training_pairs
from safelight.learn.restore.loading import BatchNumbers, fetched_pairs
from safelight.learn.restore.objectives import OBJECTIVES, Terms, draw_noise
from safelight.learn.restore.preview import write_preview
from safelight.learn.restore.recipe import RestoreRecipe, StageSettings
from safelight.learn.restore.validate import build_validation, validate_mean, validate_posterior
from safelight.learn.seeds import torch_generator
from safelight.learn.store import PixelStore
from safelight.learn.task import Fetched, Group, Logged, Moment, check_shared, part_of


class RestoreObjective(nn.Module):
    """The objective of one stage, with noise keyed by the step."""

    def __init__(self, model: RestorerNet, stage: StageSettings, seed: int, group: Group) -> None:
        super().__init__()
        self.model, self.stage, self.seed, self.group = model, stage, seed, group

    def forward(self, pair: Pair, moment: Moment) -> Logged:
        """`pair` is this process's part of a batch; its noise is the same part of the whole batch's."""
        stage = self.stage
        generator = torch_generator(self.seed, "latent", moment.stage, moment.step)
        posterior = stage.objective == "posterior"
        whole = torch.Size((self.group.size * len(pair.degraded), *pair.degraded.shape[1:]))
        noise = draw_noise(self.model, whole, generator) if posterior else []
        noise = [part_of(values, self.group) for values in noise]
        free_nats = stage.free_nats or [0.0] * len(self.model.ladder.latents)
        terms = Terms(stage.loss, noise, stage.kl_warmup(moment.share), free_nats=free_nats, group=self.group)
        with autocast(stage.precision):
            loss, log = OBJECTIVES[stage.objective](self.model, pair, terms)
        return loss, log


class RestoreTask:
    """See `learn.task.TrainingTask`."""

    patience = 0

    def __init__(self, recipe: RestoreRecipe, store: PixelStore, model: Experts) -> None:
        self.recipe, self.model = recipe, model
        self.seed, self.validate_every, self.log_every = recipe.seed, recipe.validate_every, recipe.log_every
        share = recipe.data.validation_share
        self.store = store.part(share, 1)
        self.validation = build_validation(store.part(0, share).halves()[0], recipe)  # the other half measures

    @property
    def stages(self) -> Sequence[StageSettings]:
        return self.recipe.stages

    def learner(self, stage: int) -> RestorerNet:
        """Which of the experts a stage trains."""
        name = self.stages[stage].expert
        return self.model.first if name is None else self.model[name]

    def trained(self, stage: int) -> list[nn.Parameter]:
        self.model.requires_grad_(False)
        return unfreeze(self.learner(stage), self.stages[stage])

    def begin(self, stage: int) -> None:
        """Experts part after what they learned together; collapsed rungs are initialised from the first batch."""
        if stage and self.stages[stage].expert is not None and self.stages[stage - 1].expert is None:
            self.model.part()
        if self.stages[stage].objective == "posterior":
            pair: Pair = next(self.batches(stage, 0, Group())).batch
            self.learner(stage).initialise_from_data(*pair, torch_generator(self.seed, "wake", stage))

    def objective(self, stage: int, group: Group) -> nn.Module:
        return RestoreObjective(self.learner(stage), self.stages[stage], self.seed, group)

    def batches(self, stage: int, start: int, group: Group) -> Iterator[Fetched]:
        """Raises UsageError for a batch that the processes cannot share."""
        settings = self.stages[stage]
        check_shared(settings.batch, group)
        stream = f"{stage}:{settings.objective}"
        pairs = training_pairs(self.recipe, self.store, stream, patch_px=settings.patch_px, expert=settings.expert)
        return fetched_pairs(pairs, BatchNumbers(start, settings.batch, group), self.recipe.data.workers)

    def judged_by(self, stage: int) -> str | None:
        return None

    def validate(self, stage: int) -> dict[str, float]:
        learner = self.learner(stage)
        scores = validate_mean(learner, self.validation)
        if self.stages[stage].objective == "posterior":
            scores |= validate_posterior(learner, self.validation)
        return scores

    def complaint(self, stage: int, scores: dict[str, float]) -> str | None:
        return None

    def preview(self, path: Path, stage: int) -> None:
        write_preview(self.learner(stage), self.validation, path)


def unfreeze(model: RestorerNet, stage: StageSettings) -> list[nn.Parameter]:
    """What a stage trains: trunk and scale learn the mean; on them, finished, the ladder learns the residual."""
    parts = (model.trunk, model.scale) if stage.objective == "mean" else (model.ladder,)
    for part in parts:
        part.requires_grad_(True)
    return [p for part in parts for p in part.parameters()]
