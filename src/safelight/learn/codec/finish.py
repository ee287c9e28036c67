"""From a finished run to a bundle: integers, graphs, tables, measurements, card."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from safetensors.torch import load_file

from safelight.bundle import Bundle, seal
from safelight.bundle.codec import INTEGERS, PROGRAMS, CodecCard, Group
from safelight.coding.program import check_bounds
from safelight.coding.tables import Tables
from safelight.coding.tiling import BLOCK_PX
from safelight.errors import UsageError
from safelight.ladder.codec import CodecNet
from safelight.learn import checkpoint
from safelight.learn.codec.convert import Converted, convert
from safelight.learn.codec.data import calibration_patches
from safelight.learn.codec.export import export
from safelight.learn.codec.fit_tables import fit_tables
from safelight.learn.codec.measure import measure
from safelight.learn.codec.recipe import CodecRecipe
from safelight.learn.run import RunFolder
from safelight.learn.store import PixelStore
from safelight.work import file_sha256


def load_model(recipe: CodecRecipe, run: RunFolder) -> CodecNet:
    """The averaged weights of a run's checkpoint. Raises UsageError if there is none."""
    saved = checkpoint.find(run.checkpoint)
    if saved is None:
        raise UsageError(f"{run.folder}: holds no checkpoint; train first")
    model = recipe.model.build()
    constants = load_file(saved / "weights.safetensors")  # averages are of what is trained alone
    model.load_state_dict(constants | load_file(saved / "ema.safetensors"))
    return model.eval().requires_grad_(False)


def finish(recipe: CodecRecipe, recipe_path: Path, store: PixelStore, run: RunFolder) -> Bundle[CodecCard]:
    """Convert, export, measure, and write `<run>/bundle`."""
    converted = convert_trained(load_model(recipe, run), recipe, store)
    card = _card(recipe, recipe_path, store, run=run, converted=converted)
    return make_bundle(run.bundle, converted, card, recipe=recipe, store=store)


def convert_trained(model: CodecNet, recipe: CodecRecipe, store: PixelStore) -> Converted:
    """The integers of a trained network; units are chosen on photographs that it was trained on."""
    training = store.part(recipe.data.validation_share, 1)
    return convert(model, calibration_patches(recipe, training, model.levels))


def make_bundle(
    folder: Path, converted: Converted, card: CodecCard, *, recipe: CodecRecipe, store: PixelStore
) -> Bundle[CodecCard]:
    """All files, with tables fitted to what was trained on; the card gets what is measured on what was held out."""
    share = recipe.data.validation_share
    tables = fit_tables(write_bundle(folder, converted, Tables.logistic(), card), store.part(share, 1))
    measured = measure(write_bundle(folder, converted, tables, card), store.part(0, share).halves()[1])
    return seal(folder, card.model_copy(update={"measured": measured}))


def write_bundle(folder: Path, converted: Converted, tables: Tables, card: CodecCard) -> Bundle[CodecCard]:
    """All files. Raises BundleError if a sum could reach 2^24."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    arrays = converted.arrays | {"tables.frequencies": tables.flat, "tables.lengths": tables.lengths}
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / INTEGERS)
    (folder / INTEGERS).chmod(0o644)  # safetensors makes it private; a bundle is for all
    plain = {name: asdict(program) for name, program in converted.programs.items()}
    (folder / PROGRAMS).write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    for name, program in converted.programs.items():
        check_bounds(program, arrays)
        export(program, arrays, folder / f"{name}.onnx", folder / INTEGERS)
    return seal(folder, card)


def _card(recipe: CodecRecipe, recipe_path: Path, store: PixelStore, run: RunFolder, converted: Converted) -> CodecCard:
    """All but what is measured."""
    share = recipe.data.validation_share
    return CodecCard(
        name=recipe.name,
        task="codec",
        summary=recipe.card.summary,
        programs=tuple(converted.programs),
        groups=tuple(Group(channels=group.channels, parities=group.parities) for group in recipe.model.groups),
        analysis_halo=halo(recipe.model.depths),
        synthesis_halo=halo(recipe.model.depths),
        recipe=recipe_path.name,
        recipe_sha256=file_sha256(recipe_path),
        trained_on=f"{store.part(share, 1).pictures} photographs; {store.part(0, share).pictures} more held out",
        training_minutes=round(run.minutes, 1),
        started_from=run.started_from,
        trained_with=run.trained_with,
        data_licences=recipe.card.data_licences,
        weights_licence=recipe.card.weights_licence,
        measured={},
        limits=recipe.card.limits,
    )


def halo(depths: tuple[int, ...]) -> int:
    """How many positions of 16 pixels the convolutions of analysis or synthesis reach: two of each block, and head or
    tail, at 1/4, 1/8 and 1/16.
    """
    reach_px = sum(2 * depth * stride for depth, stride in zip(depths, (4, 8, 16), strict=True)) + 4
    return -(-reach_px // BLOCK_PX) + 1
