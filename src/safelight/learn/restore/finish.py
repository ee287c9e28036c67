"""From a finished run to a bundle: graphs, calibration, measurements, card.

Half of the held-out pictures calibrate, the other half measure; training sees neither.
"""

import math
import shutil
from pathlib import Path

from safetensors.torch import load_file

from safelight.bundle import Bundle, NoiseInput, RestorerCard, seal
from safelight.bundle.restore import CALIBRATION, INT8_GRAPH, MEAN_GRAPH, OOD_REFERENCE
from safelight.errors import UsageError
from safelight.ladder.restorer import Experts, RestorerNet, build_experts
from safelight.learn import checkpoint
from safelight.learn.restore.calibrate import calibrate
from safelight.learn.restore.data import training_pairs
from safelight.learn.restore.export import export_graphs, halved
from safelight.learn.restore.measure import measure
from safelight.learn.restore.ood import fit_ood_reference, looking_pairs
from safelight.learn.restore.quantise import quantise
from safelight.learn.restore.recipe import RestoreRecipe
from safelight.learn.restore.validate import build_validation
from safelight.learn.run import RunFolder
from safelight.learn.store import PixelStore
from safelight.runtime.restore.tiling import padded
from safelight.work import file_sha256

UNTRAINED_SAMPLER = "The sampler was not trained ({}): use the mean."


def load_model(recipe: RestoreRecipe, run: RunFolder) -> Experts:
    """The averaged weights of a run's checkpoint. Raises UsageError if there is none."""
    saved = checkpoint.find(run.checkpoint)
    if saved is None:
        raise UsageError(f"{run.folder}: holds no checkpoint; train first")
    model = build_experts(recipe.experts, recipe.model.model_dump())
    model.load_state_dict(load_file(saved / "ema.safetensors"))
    return model.eval().requires_grad_(False)


def finish(recipe: RestoreRecipe, recipe_path: Path, store: PixelStore, run: RunFolder) -> Bundle[RestorerCard]:
    """Export, calibrate, measure, and write `<run>/bundle`."""
    model = halved(load_model(recipe, run))
    share = recipe.data.validation_share
    for_calibration, for_measuring = store.part(0, share).halves()
    shutil.rmtree(run.bundle, ignore_errors=True)  # of an earlier export, perhaps of other experts
    parity = 0.0
    for name in recipe.experts:
        folder = run.bundle / name
        folder.mkdir(parents=True, exist_ok=True)
        parity = max(parity, export_graphs(model[name], folder))
        pairs = training_pairs(recipe, for_calibration, "int8", expert=name)
        quantise(folder / MEAN_GRAPH, folder / INT8_GRAPH, pairs)
    training, held_out = looking_pairs(recipe, store.part(share, 1), for_calibration)
    reference = fit_ood_reference(model, training, held_out)
    calibration = calibrate(model, reference, held_out)
    card = _card(recipe, recipe_path, store, run, model=model.first)
    reference.save(run.bundle / OOD_REFERENCE)
    calibration_words = calibration.model_dump_json(indent=2) + "\n"
    (run.bundle / CALIBRATION).write_text(calibration_words, encoding="utf-8")
    bundle = seal(run.bundle, card)
    measured = measure(bundle, build_validation(for_measuring, recipe)) | {"onnx_parity": parity}
    finite = {name: round(value, 7) for name, value in measured.items() if math.isfinite(value)}
    return seal(run.bundle, card.model_copy(update={"measured": finite}))


def _card(
    recipe: RestoreRecipe, recipe_path: Path, store: PixelStore, run: RunFolder, model: RestorerNet
) -> RestorerCard:
    """All but what is measured; `model` is any of the experts, which are of the same sizes."""
    share, multiple = recipe.data.validation_share, model.trunk.size_multiple
    drawing = {stage.expert for stage in recipe.stages if stage.objective == "posterior"}
    untrained = [] if None in drawing else [name for name in recipe.experts if name not in drawing]
    return RestorerCard(
        name=recipe.name,
        task="restore",
        experts=recipe.experts,
        summary=recipe.card.summary,
        size_multiple=multiple,
        mean_halo_px=padded(model.mean_reach_px, multiple),
        sample_halo_px=padded(model.sample_reach_px, multiple),
        noise_inputs=tuple(NoiseInput(channels=c, stride_px=s) for c, s in model.noise_inputs),
        recipe=recipe_path.name,
        recipe_sha256=file_sha256(recipe_path),
        started_from=run.started_from,
        trained_on=f"{store.part(share, 1).pictures} photographs; {store.part(0, share).pictures} more held out",
        training_minutes=round(run.minutes, 1),
        trained_with=run.trained_with,
        data_licences=recipe.card.data_licences,
        weights_licence=recipe.card.weights_licence,
        measured={},
        limits=(*recipe.card.limits, *([UNTRAINED_SAMPLER.format(", ".join(untrained))] if untrained else [])),
    )
