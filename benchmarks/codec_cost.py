"""What exactness costs, and what tables and the choice of symbols bring: a codec in real numbers and in integers.

    python benchmarks/codec_cost.py [RECIPE] [--weights milestones/latent/weights.safetensors] [--data FOLDER]

Prints BD-rates in percent on held-out photographs that validate; negative means fewer bytes. The first one compares the
integers, by the bytes of files without their headers and with the nearest symbols, with the network of real numbers, by
the rates that it states. The others compare files with those files. Needs the `train` extra. Some minutes on two cores.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.torch import load_file
from sets import DATA, ROOT

import safelight
from safelight.bundle.codec import CodecCard, Group
from safelight.coding.container import unpack
from safelight.coding.tables import Tables
from safelight.learn.codec.convert import convert
from safelight.learn.codec.data import CALIBRATION_PX, calibration_patches
from safelight.learn.codec.finish import halo, write_bundle
from safelight.learn.codec.fit_tables import fit_tables
from safelight.learn.codec.levels import Levels
from safelight.learn.codec.recipe import CodecRecipe
from safelight.learn.codec.validate import Held, model_point
from safelight.learn.store import build_store
from safelight.learn.train import read_recipe
from safelight.metrics import bd_rate, psnr_db
from safelight.runtime.codec.curves import Curve, bits_per_pixel

QUALITIES = (10, 25, 40, 55, 70, 85)
RATE_WEIGHTS = (0.25, 0.5, 0.75, 1.0)


def main() -> None:
    """Convert, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, nargs="?", default=ROOT / "recipes" / "latent.toml")
    parser.add_argument("--weights", type=Path, default=ROOT / "milestones" / "latent" / "weights.safetensors")
    parser.add_argument("--data", type=Path, default=DATA / "photos")
    asked = parser.parse_args()
    recipe = read_recipe(asked.recipe)
    assert isinstance(recipe, CodecRecipe)
    model = recipe.model.build().eval().requires_grad_(False)
    model.load_state_dict({name: tensor.float() for name, tensor in load_file(asked.weights).items()})
    store, _ = build_store(asked.data, Path(".cache/pixels"), recipe.data.scales, CALIBRATION_PX)
    share = recipe.data.validation_share
    held, training = Held.of(store.part(0, share).halves()[0]), store.part(share, 1)
    converted = convert(model, calibration_patches(recipe, training, model.levels))
    levels = Levels(model).level
    real = [model_point(model, held.pictures, float(levels[quality - 1])) for quality in QUALITIES]
    with tempfile.TemporaryDirectory() as folder:
        bundle = write_bundle(Path(folder), converted, Tables.logistic(), _card(recipe, converted.programs))
        codec = safelight.Codec.load(folder)
        plain = files(codec, held.pictures, rate_weight=0.0)
        streams = files(codec, held.pictures, rate_weight=0.0, part=streams_alone)
        losses = [stated - quality for (_, quality), (_, stated) in zip(plain, real, strict=True)]
        print(f"integers over real numbers, streams alone: {100 * bd_rate(streams, real):+.2f} %")
        print(f"the same with headers: {100 * bd_rate(plain, real):+.2f} %")
        for title, curve in (("streams", streams), ("files", plain)):
            shares = [rate / stated for (rate, _), (stated, _) in zip(curve, real, strict=True)]
            print(f"  bytes of {title} over the stated rate: {', '.join(f'{share:.4f}' for share in shares)}")
        print(f"  loss in dB: {', '.join(f'{loss:.3f}' for loss in losses)}")
        write_bundle(Path(folder), converted, fit_tables(bundle, training), _card(recipe, converted.programs))
        fitted = safelight.Codec.load(folder)
        print(f"fitted tables: {100 * bd_rate(files(fitted, held.pictures, rate_weight=0.0), plain):+.2f} %")
        for weight in RATE_WEIGHTS:
            chosen = files(fitted, held.pictures, rate_weight=weight)
            print(f"fitted tables, rate weight {weight:g}: {100 * bd_rate(chosen, plain):+.2f} %", flush=True)


def streams_alone(data: bytes) -> bytes:
    """What a file holds without its header."""
    return data[-sum(tile.length for tile in unpack(data, max_megapixels=10).tiles) :]


def files(
    codec: safelight.Codec, pictures: list[np.ndarray], rate_weight: float, part: Callable[[bytes], bytes] = bytes
) -> Curve:
    """Points by the bytes of whole files, or of a part of them."""
    points = []
    for quality in QUALITIES:
        made = [codec.encode(safelight.Picture(pixels), quality, rate_weight=rate_weight) for pixels in pictures]
        pairs = list(zip(made, pictures, strict=True))
        rate = np.mean([bits_per_pixel(part(one.data), pixels) for one, pixels in pairs])
        points.append(
            (float(rate), float(np.mean([psnr_db(one.decoded / 255, pixels / 255) for one, pixels in pairs])))
        )
    return points


def _card(recipe: CodecRecipe, programs: dict[str, object]) -> CodecCard:
    words = dict.fromkeys(("recipe", "recipe_sha256", "trained_on", "trained_with"), "see the milestone")
    return CodecCard(
        name=recipe.name,
        task="codec",
        summary=recipe.card.summary,
        programs=tuple(programs),
        groups=tuple(Group(channels=group.channels, parities=group.parities) for group in recipe.model.groups),
        analysis_halo=halo(recipe.model.depths),
        synthesis_halo=halo(recipe.model.depths),
        training_minutes=0,
        data_licences=recipe.card.data_licences,
        weights_licence=recipe.card.weights_licence,
        measured={},
        limits=(),
        **words,
    )


if __name__ == "__main__":
    main()
