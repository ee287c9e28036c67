"""Do new pictures from a learned prior help a classifier? Steel with 10 labels of each class, flowers with 50.

    python benchmarks/augment_samples.py [--data ../shared/data] [--only steel10] [--budget 10m]

A person who has so few pictures has nothing else: the VAE and its prior learn these pictures alone, with their labels,
by recipes/dataset.toml. Then `safelight verdict` compares the arms, where the latent step is `latent_sample`: new
pictures of the class that is asked for. All other pictures are tested on, at most 1,500. Adds to
benchmarks/results/augment.json and writes the tables of docs/augment.md. Some twenty minutes on two cores.
"""

import argparse
import json
import re
from pathlib import Path

import numpy as np
from augment import CASES, MODELS, RECIPES, RESULTS, RUNS, evaluated, safelight, write_page
from sets import DATA, ROOT

from safelight import randomness
from safelight.dataset import Form, ImageSet, open_set
from safelight.dataset.form import fitted
from safelight.picture import Picture, write

MOST_TESTED, SEEDS, SEED = 1500, 5, 4
LATENT_STEP = re.compile(r'op = "latent_noise".*?\n\n', re.DOTALL)


def main() -> None:
    """Train, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="*", default=["steel10", "flowers50"])
    parser.add_argument("--budget", default="10m")
    asked = parser.parse_args()
    found = json.loads(RESULTS.read_text())
    for name in asked.only:
        told = compare(asked.data / "labelled", name, asked.budget)
        found["samples"] = found.get("samples", {}) | {name: told}
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        print(told["verdict"], flush=True)
    write_page(found)


def compare(data: Path, name: str, budget: str) -> dict[str, object]:
    """What `safelight verdict` tells of one set."""
    case, model = CASES[name], MODELS[CASES[name].model]
    home = RUNS / f"{name}-samples"
    if not (home / "test").is_dir():
        write_parts(open_set(data / model.file), home, case.per_class, Form(model.side, model.side, 3))
    recipe, training = home / "samples.toml", home / "dataset.toml"
    recipe.write_text(LATENT_STEP.sub('op = "latent_sample"\n\n', (RECIPES / f"{case.model}.toml").read_text()))
    training.write_text((ROOT / "recipes" / "dataset.toml").read_text().replace("# flip = true", "flip = true"))
    run = home / "run"
    if not (run / "bundle" / "card.json").exists():
        safelight("train", training, "--data", home / "labelled", "--run", run, "--budget", budget)
    options = ["--recipe", recipe, "--model", run / "bundle", "--steps", case.steps, "--seeds", SEEDS, "--json"]
    return evaluated(home / "labelled", "--test", home / "test", *options)


def write_parts(images: ImageSet, home: Path, per_class: int, form: Form) -> None:
    """Folders of classes: `labelled` with so many of each class, and `test`."""
    order = randomness.generator(SEED, "parts").permutation(len(images))
    taken: dict[str, int] = {}
    tested = 0
    for k in map(int, order):
        label = str(images.items[k].label)
        part = "labelled" if taken.get(label, 0) < per_class else "test"
        taken[label] = taken.get(label, 0) + 1
        tested += part == "test"
        if part == "labelled" or tested <= MOST_TESTED:
            folder = home / part / label
            folder.mkdir(parents=True, exist_ok=True)
            pixels = images.load(k).pixels
            pixels = fitted(pixels, form) if pixels.shape[2] == form.channels else pixels
            write(Picture(np.ascontiguousarray(pixels)), folder / f"{k}.png")


if __name__ == "__main__":
    main()
