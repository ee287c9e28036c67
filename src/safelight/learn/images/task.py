"""A ladder VAE of a set of pictures as a task for the loop."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from safelight.errors import RecipeError
from safelight.ladder.critic import Critic
from safelight.ladder.detail import DetailFlow
from safelight.ladder.image_vae import ImageVae
from safelight.learn.images.classify import Classifier, train_classifier
from safelight.learn.images.data import Order, ahead
from safelight.learn.images.detail import DetailObjective, detail_of, fit_scale, validate_detail
from safelight.learn.images.objectives import ImageObjective, Trainee
from safelight.learn.images.prior import PriorObjective, fit_units, prior_of, validate_prior
from safelight.learn.images.recipe import ImagesRecipe, StageSettings
from safelight.learn.images.sizes import build_prior
from safelight.learn.images.training_set import TrainingSet
from safelight.learn.images.validate import (
    validate_images,
    write_detail_preview,
    write_preview,
    write_prior_preview,
)
from safelight.learn.seeds import torch_generator
from safelight.learn.task import Fetched, Group, check_shared, timed

INITIALISED_FROM = 512
"""Pictures that the rungs are initialised from, at most."""
COLLAPSED_NATS = 1.0
"""Below this rate all latents together carry nothing of a picture."""


class ImageTask:
    """See `learn.task.TrainingTask`."""

    def __init__(self, recipe: ImagesRecipe, model: Trainee, pictures: TrainingSet) -> None:
        self.recipe, self.model, self.names_of_classes = recipe, model, pictures.classes
        self.train, self.validation = pictures.train, pictures.parts["validation"]
        self.labels = pictures.labels
        self.seed, self.patience = recipe.seed, recipe.patience
        self.validate_every, self.log_every = recipe.validate_every, recipe.log_every

    @property
    def stages(self) -> Sequence[StageSettings]:
        return self.recipe.stages

    def trained(self, stage: int) -> list[nn.Parameter]:
        self.model.requires_grad_(False)
        trains = self.stages[stage].trains
        if trains == "prior":
            prior_of(self.model).learn()
        elif trains == "detail":
            detail_of(self.model).learn()
        else:
            for module in self.model.vae.after_latents if trains == "decoder" else [self.model.vae]:
                module.requires_grad_(True)
            if self.model.critic is not None:
                self.model.critic.requires_grad_(self.stages[stage].adversarial > 0)
        return [p for p in self.model.parameters() if p.requires_grad]

    def begin(self, stage: int) -> None:
        """The prior takes its units from latents, the detail's flow its scale from pictures. Collapsed rungs are
        initialised from the first pictures; see `Rung.initialise_from_data`. The classifier is trained before the first
        stage that asks it.
        """
        trains = self.stages[stage].trains
        if trains in ("detail", "prior"):
            fit = fit_units if trains == "prior" else fit_scale
            fit(self.model, self.train, self.seed, self._is_noisy)
            return
        asks = [k for k, settings in enumerate(self.stages) if settings.perceptual]
        if asks and stage == asks[0] and self.model.classifier is not None:
            trained = train_classifier(replace(self.train, labels=self.labels), len(self.names_of_classes), self.seed)
            self.model.classifier.load_state_dict(trained.state_dict())
        count = min(INITIALISED_FROM, 2 * self.train.at_once, len(self.train))
        images = next(self.train.stream(Order(self.seed, stage, count), self.recipe.data))
        self.model.vae.initialise_from_data(images.x, torch_generator(self.seed, "wake", stage), images.labels)

    def objective(self, stage: int, group: Group) -> nn.Module:
        settings = self.stages[stage]
        if settings.trains in ("detail", "prior"):
            of_flow = PriorObjective if settings.trains == "prior" else DetailObjective
            return of_flow(self.model, self.recipe, settings, group)
        return ImageObjective(self.model, settings, self.seed, group)

    def batches(self, stage: int, start: int, group: Group) -> Iterator[Fetched]:
        """Raises UsageError for a batch that the processes cannot share."""
        batch = self.stages[stage].batch
        check_shared(batch, group)
        subset = replace(self.train, labels=self.labels) if self.stages[stage].trains == "prior" else self.train
        return ahead(timed(subset.stream(Order(self.seed, stage, batch), self.recipe.data, start, group)))

    def judged_by(self, stage: int) -> str | None:
        """Of looks no number on held-out pictures is known."""
        of_flow = {"prior": "val_flow_loss", "detail": "val_detail_loss"}
        vae = "val_loss" if self.stages[stage].is_judged else None
        return of_flow.get(self.stages[stage].trains, vae)

    def validate(self, stage: int) -> dict[str, float]:
        trains = self.stages[stage].trains
        if trains == "prior":
            labelled = replace(self.validation, labels=self.labels)
            return validate_prior(self.model, labelled, self.seed, self._is_noisy)
        if trains == "detail":
            return validate_detail(self.model, self.validation, self.seed, self._is_noisy)
        return validate_images(self.model.vae, self.validation, self.stages[stage], self.seed)

    def complaint(self, stage: int, scores: dict[str, float]) -> str | None:
        if self.stages[stage].trains in ("detail", "prior"):
            return None
        if self.stages[stage].beta and not scores["val_active_units"] and scores["val_rate_nats"] < COLLAPSED_NATS:
            return (
                "the posterior has collapsed: no latent says anything about a picture (active units: 0); "
                "lower beta or learning_rate, or give free_nats, and train again with another --run"
            )
        return None

    def preview(self, path: Path, stage: int) -> None:
        trains = self.stages[stage].trains
        if trains == "prior":
            write_prior_preview(self.model, self.names_of_classes, path)
        elif trains == "detail":
            write_detail_preview(self.model, self.validation, path)
        else:
            write_preview(self.model.vae, self.validation, len(self.names_of_classes), path)

    @property
    def _is_noisy(self) -> bool:
        """Whether latents are draws from the posteriors, not their means."""
        return self.recipe.vae_stage.beta > 0


def build_trainee(recipe: ImagesRecipe, vae: ImageVae, pictures: TrainingSet) -> Trainee:
    """A VAE with all that its stages ask for, with random weights. Raises RecipeError for a set without classes."""
    form, classes = pictures.form, pictures.known_classes
    asks_classifier = any(stage.perceptual for stage in recipe.stages)
    if asks_classifier and not classes:
        raise RecipeError("perceptual compares features of a classifier, and the set has no classes; leave it out")
    return Trainee(
        vae,
        critic=Critic(form.channels) if any(stage.adversarial for stage in recipe.stages) else None,
        classifier=Classifier(form.channels, classes, min(form.height, form.width)) if asks_classifier else None,
        prior=build_prior(recipe, vae, classes) if recipe.learns("prior") else None,
        detail=DetailFlow(form.channels, recipe.detail.width) if recipe.learns("detail") else None,
    )
