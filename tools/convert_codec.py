"""Make the integers of a trained codec anew, when their making has become better. The weights stay.

    python -m tools.convert_codec recipes/latent.toml --weights milestones/latent/weights.safetensors \
        --card src/safelight/bundle/shipped/latent --data ../shared/data/photos -o runs/latent-anew

The new bundle tells of its training what the card of the old one tells. Files of the old bundle need the old bundle.
"""

import argparse
from pathlib import Path

from safetensors.torch import load_file

from safelight.bundle import CodecCard, find_bundle
from safelight.learn.codec.data import CALIBRATION_PX
from safelight.learn.codec.finish import convert_trained, make_bundle
from safelight.learn.codec.recipe import CodecRecipe
from safelight.learn.store import build_store
from safelight.learn.train import read_recipe


def main() -> None:
    """Convert, fit the tables, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--card", required=True, help="bundle of the same weights")
    parser.add_argument("--data", type=Path, required=True, help="the photographs it was trained on")
    parser.add_argument("-o", "--output", type=Path, required=True)
    asked = parser.parse_args()
    recipe = read_recipe(asked.recipe)
    assert isinstance(recipe, CodecRecipe), "the recipe is not one of a codec"
    model = recipe.model.build().eval().requires_grad_(False)
    model.load_state_dict({name: tensor.float() for name, tensor in load_file(asked.weights).items()})
    store, _ = build_store(asked.data, Path(".cache/pixels"), recipe.data.scales, CALIBRATION_PX)
    converted = convert_trained(model, recipe, store)
    card = find_bundle(asked.card, CodecCard).card.model_copy(update={"programs": tuple(converted.programs)})
    make_bundle(asked.output, converted, card, recipe=recipe, store=store)


if __name__ == "__main__":
    main()
