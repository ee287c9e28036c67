"""What makes a fair comparison, checked before anything is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safelight.augmentation import AugmentRecipe, load_recipe
from safelight.augmentation.catalog import OPERATIONS
from safelight.augmentation.recipe import RecipeStep
from safelight.downstream.arms import ARMS
from safelight.downstream.judge import roles
from safelight.downstream.settings import VerdictSettings
from safelight.errors import UsageError
from safelight.runtime.images.vae import Vae

NOISES = ("temperature", "spread")
"""Numbers of latent steps that a sweep multiplies."""
CLASSLESS = "latent_noise"
"""The latent step that needs no class."""


@dataclass(frozen=True)
class Plan:
    """A comparison that makes sense."""

    settings: VerdictSettings
    recipe: AugmentRecipe
    arms: tuple[str, ...]
    """Names of those that are trained."""

    @property
    def latent(self) -> tuple[RecipeStep, ...]:
        """Steps of the recipe that need a VAE."""
        return steps_of(self.recipe, latent=True)

    @property
    def classic(self) -> tuple[RecipeStep, ...]:
        """The other steps of the recipe."""
        return steps_of(self.recipe, latent=False)

    @property
    def model(self) -> str | Path | None:
        """The VAE's bundle; None if the recipe has no latent step."""
        return (self.settings.model or self.recipe.model) if self.recipe.latent else None


def check(settings: VerdictSettings) -> Plan:
    """Raises UsageError for what makes no fair comparison, RecipeError."""
    recipe = load_recipe(settings.recipe)
    if recipe.guard is not None and not recipe.latent:
        raise UsageError("[guard] checks what latent steps make here, and this recipe has none; take it out")
    if recipe.guard is not None and settings.per_class is not None:
        raise UsageError(
            "[guard] needs a VAE that knows labels, and --per-class one that does not; leave out one of them"
        )
    if recipe.latent and (settings.model or recipe.model) is None:
        raise UsageError(f"{recipe.latent[0]} needs a model; give --model, or model = ... in the recipe")
    for option, is_given in (("--unlabelled", settings.unlabelled is not None), ("--sweep", bool(settings.sweep))):
        if is_given and not recipe.latent:
            raise UsageError(f"{option} is for recipes with latent steps; add one, or leave {option} out")
    if settings.unlabelled is not None and (CLASSLESS not in recipe.latent or not steps_of(recipe, latent=False)):
        raise UsageError(f"--unlabelled needs a {CLASSLESS} step and a classic step, which need no class; add them")
    noisy = [step for step in steps_of(recipe, latent=True) if any(step.ranges.get(n, (0, 0))[1] for n in NOISES)]
    if settings.sweep and not noisy:
        raise UsageError("--sweep multiplies temperature and spread, and no step has them; leave it out")
    for factor in settings.sweep:
        times(noisy, factor)
    possible = available_arms(settings, recipe)
    strange = [arm for arm in settings.arms if arm not in possible]
    if strange:
        raise UsageError(f"--arms '{strange[0]}': with this recipe there are {', '.join(possible)}")
    arms = settings.arms or possible
    roles(arms)
    return Plan(settings, recipe, arms)


def available_arms(settings: VerdictSettings, recipe: AugmentRecipe) -> tuple[str, ...]:
    """Names of all arms that the recipe and the pictures allow."""
    classic, latent = (bool(steps_of(recipe, latent=kind)) for kind in (False, True))
    pool = settings.unlabelled is not None
    return tuple(
        name
        for name, kind in ARMS.items()
        if classic >= kind.classic and latent >= kind.needs_vae and pool >= kind.needs_pool
    )


def steps_of(recipe: AugmentRecipe, latent: bool) -> tuple[RecipeStep, ...]:
    """The latent ones, or the others."""
    return tuple(step for step in recipe.steps if (OPERATIONS[step.op].kind == "latent") == latent)


def times(steps: Sequence[RecipeStep], factor: float) -> tuple[RecipeStep, ...]:
    """Latent steps with so many times the noise. Raises UsageError for more than a parameter allows."""
    multiplied = []
    for step in steps:
        ranges = dict(step.ranges)
        for name in NOISES:
            if name in ranges:
                low, high = (end * factor for end in ranges[name])
                most = OPERATIONS[step.op].parameters[name].most
                if high > most:
                    raise UsageError(
                        f"--sweep {factor:g}: {step.op}.{name} would be {high:g}, and {most:g} is the most"
                    )
                ranges[name] = (low, high)
        multiplied.append(step.model_copy(update={"ranges": ranges}))
    return tuple(multiplied)


def open_vae(plan: Plan) -> Vae | None:
    """None if no step needs it. Raises UsageError for a model that cannot be compared fairly."""
    name, settings = plan.model, plan.settings
    if name is None:
        return None
    vae = Vae.load(name)
    if plan.recipe.size_px not in (None, vae.form.width):
        raise UsageError(f"{name}: takes {vae.form.width} px, and the recipe says size_px; make them equal")
    if settings.unlabelled is not None and vae.card.conditional:
        raise UsageError(f"{name}: needs a class for every picture, and unlabelled pictures have none; train another")
    if settings.per_class is not None and vae.card.classes:
        raise UsageError(
            f"{name}: was trained with the labels of all its pictures, which the arms do not have; "
            "train it with data.ignore_labels = true"
        )
    return vae
