"""Does augmentation with a VAE help? Five data sets with few labels, all arms, and verdicts checked on fresh seeds.

    python benchmarks/augment.py [--data ../shared/data] [--only digits10] [--add ARM] [--page]

Trains a VAE of each set, without labels and without the test pictures. Bundles in runs/augment are used again. Then
`safelight verdict` compares the arms: all of them with seeds 0 to 4, some of them with seeds 10 to 14. One more
comparison has latent noise that is far too strong. The script writes benchmarks/results/augment.json, contact sheets in
docs/images, and the tables in docs/augment.md. `--page` writes the tables alone. The whole takes more than an hour on
two cores. `--add` measures one more arm. The arms that it is compared with are measured again, and must reach the same
accuracy to the last digit.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from augment_page import numbers
from sets import DATA, ROOT

from safelight.augmentation import AppliedStep, Bank, Sample, VariantRecord, apply, sheet
from safelight.augmentation.latent import LatentSpace
from safelight.classic import CLASSIC
from safelight.dataset import Form, ImageSet, open_set
from safelight.dataset.form import fitted
from safelight.downstream.arms import ARMS
from safelight.downstream.judge import WITHOUT, Interval, decide
from safelight.picture import Picture, read, write
from safelight.runtime.images import Vae
from safelight.runtime.machine import processor

RESULTS, PAGE = ROOT / "benchmarks" / "results" / "augment.json", ROOT / "docs" / "augment.md"
SPEED = ROOT / "benchmarks" / "results" / "augment_speed.json"
RUNS, RECIPES, IMAGES = ROOT / "runs" / "augment", ROOT / "benchmarks" / "augment", ROOT / "docs" / "images"
FRESH_SEED, SEEDS = 10, 5
WILD = "spread = [2.5, 3.0]\nfine = 1.0\ndetail = 0.0\n"
TRAIN = """
task = "images"
name = "{name}"
seed = 1
validate_every = 400
patience = 0
[card]
summary = "For docs/augment.md: trained without labels."
data_licences = "See the set."
[data]
ignore_labels = true
flip = {flip}
test_share = {test_share}
validation_share = 0.05
size_px = {side}
[model]
size = "{size}"
[[stages]]
steps = 100000
batch = 128
learning_rate = 3e-3
warmup_steps = 50
kl_warmup_share = 0
ema_decay = 0.995
precision = "bfloat16"
optimiser = "muon"
"""


class Model(NamedTuple):
    """How a VAE of a set is trained."""

    file: str
    budget: str
    side: int
    size: str
    flip: bool
    test_share: float


class Case(NamedTuple):
    """One comparison."""

    title: str
    model: str
    per_class: int
    steps: int
    test: str | None = None
    sweep: str = ""


MODELS = {
    "digits": Model("mnist_train.npz", "90s", 28, "tiny", False, 0.0),
    "xray": Model("pneumonia_mnist.npz", "90s", 28, "tiny", False, 0.0),
    "steel": Model("neu_defects_64.npz", "4m", 64, "small", True, 0.3),
    "flowers": Model("flowers5", "8m", 64, "small", True, 0.3),
}
CASES = {
    "digits10": Case("MNIST, 10 per class", "digits", 10, 500, "mnist_test.npz", "0.25,0.5,2,3.5"),
    "digits50": Case("MNIST, 50 per class", "digits", 50, 500, "mnist_test.npz"),
    "xray50": Case("PneumoniaMNIST, 50 per class", "xray", 50, 300),
    "steel10": Case("NEU steel defects, 10 per class", "steel", 10, 300),
    "flowers50": Case("flowers, 50 per class", "flowers", 50, 300),
}


def main() -> None:
    """Train, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", choices=CASES, nargs="*", default=list(CASES))
    parser.add_argument("--add", choices=[arm for arm in ARMS if ARMS[arm].needs_vae])
    parser.add_argument("--page", action="store_true")
    arguments = parser.parse_args()
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    data = arguments.data / "labelled"
    if not arguments.page:
        for name in arguments.only:
            case = CASES[name]
            found[name] = add(data, case, arguments.add, found[name]) if arguments.add else compare(data, case)
            if name == "digits10" and not arguments.add:
                found["wild"] = wild(data)
            RESULTS.write_text(json.dumps({"processor": processor(), **found}, indent=1) + "\n")
        sheets(data)
        operations()
    write_page(found)


def safelight(*arguments: object) -> str:
    """`safelight ...`, its standard output."""
    command = [sys.executable, "-m", "safelight", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout


def trained(data: Path, name: str) -> Path:
    """The bundle of a set's VAE."""
    model, run = MODELS[name], RUNS / name
    if not (run / "bundle" / "card.json").exists():
        RUNS.mkdir(parents=True, exist_ok=True)
        recipe = RUNS / f"{name}.toml"
        facts = model._asdict() | {"flip": str(model.flip).lower()}
        recipe.write_text(TRAIN.format(name=name, **facts))
        safelight("train", recipe, "--data", data / model.file, "--run", run, "--budget", model.budget)
    return run / "bundle"


def compare(data: Path, case: Case) -> dict[str, Any]:
    """All arms on seeds 0 to 4; the arms of the verdict again on fresh ones."""
    shared = asked(data, case)
    first = evaluated(*shared, "--sweep", case.sweep)
    return {
        "first": first,
        "fresh": evaluated(*shared, "--first-seed", FRESH_SEED, "--arms", ",".join(fresh_arms(case))),
    }


def evaluated(*arguments: object) -> dict[str, Any]:
    """What `safelight verdict --json` tells, single classifiers left out."""
    return {key: value for key, value in json.loads(safelight("verdict", *arguments)).items() if key != "results"}


def asked(data: Path, case: Case) -> list[object]:
    """The options of a comparison, but for its arms and seeds."""
    source = data / MODELS[case.model].file
    shared: list[object] = [source, "--recipe", RECIPES / f"{case.model}.toml", "--json"]
    shared += ["--model", trained(data, case.model), "--per-class", case.per_class, "--unlabelled", source]
    return [*shared, "--steps", case.steps, "--seeds", SEEDS, *(["--test", data / case.test] if case.test else [])]


def fresh_arms(case: Case) -> list[str]:
    """What is trained again on fresh seeds."""
    pool = ["classic_pool", "classic_vae_pool"] if case.model == "digits" else []
    return ["classic", "classic_vae", *pool, "classic_vae_taught"]


def add(data: Path, case: Case, arm: str, known: dict[str, Any]) -> dict[str, Any]:
    """What is known, and one arm more; every verdict is made again."""
    merged = {}
    for name, seed, arms in (("first", 0, WITHOUT), ("fresh", FRESH_SEED, fresh_arms(case))):
        others = [other for other in WITHOUT if other in arms]
        told = evaluated(*asked(data, case), "--first-seed", seed, "--arms", ",".join([*others, arm]))
        before = known[name]
        for other in others:
            assert told["arms"][other] == before["arms"][other], f"{other}: {case.title} is no longer what it was"
        union = {part: before[part] | told[part] for part in ("arms", "differences")}
        arms_of, differences = ({k: Interval(**one) for k, one in union[part].items()} for part in union)
        word, verdict = decide(arms_of, differences, SEEDS)
        merged[name] = before | union | {"word": word, "verdict": verdict}
    return merged


def wild(data: Path) -> dict[str, Any]:
    """Harmful on purpose: latents moved by three times the prior's spread, nothing of the picture put back."""
    text = re.sub(r"spread = .*\nfine = .*\n", WILD, (RECIPES / "digits.toml").read_text())
    recipe = RUNS / "wild.toml"
    recipe.write_text(text)
    case = CASES["digits10"]
    options = [data / MODELS["digits"].file, "--test", data / str(case.test), "--recipe", recipe]
    options += ["--model", trained(data, "digits"), "--per-class", case.per_class, "--steps", case.steps]
    return evaluated(*options, "--arms", "none,classic,vae,classic_vae", "--json")


def sheets(data: Path) -> None:
    """A contact sheet of each set."""
    for name, model in MODELS.items():
        options = ["--recipe", RECIPES / f"{name}.toml", "--model", trained(data, name), "--copies", 5]
        source = data / model.file
        if model.side == 64 and source.is_dir():
            text = (RECIPES / f"{name}.toml").read_text()
            sized = RUNS / f"{name}-sized.toml"
            sized.write_text(f"size_px = {model.side}\n{text}")
            options[1] = sized
        safelight("augment", source, *options, "--preview", IMAGES / f"augment-{name}.png")


def operations() -> None:
    """Every classic operation at both ends of its usual range, and latent ones on a digit."""
    photograph = fitted(read(ROOT / "examples" / "samples" / "roman_colosseum.webp").pixels, Form(168, 168, 3))
    cells = [sheet.cell(Sample(photograph), ["as it is"])]
    for name, operation in CLASSIC.items():
        for end in (0, 1) if operation.parameters else (0,):
            numbers = {parameter: known.usual[end] for parameter, known in operation.parameters.items()}
            steps = (AppliedStep(name, numbers, 0),)
            cells.append(sheet.cell(*_shown(Sample(photograph), steps)))
    _write_cells(cells, IMAGES / "augment-operations.jpg")
    vae = Vae.load(RUNS / "digits" / "bundle")
    digits = open_set(DATA / "labelled" / MODELS["digits"].file)
    bank = Bank(*zip(*((i.name, str(i.label)) for i in digits.items[:300]), strict=True), _pixels(digits, 300))
    space = LatentSpace(vae, bank)
    noise = {"temperature": 1, "fine": 1, "detail": 1}
    tried: list[tuple[str, dict[str, float]]] = [("latent_noise", noise | {"spread": s}) for s in (0, 0.3, 0.8, 2)]
    tried += [("latent_mix", {"share": share, "detail": 0}) for share in (0.3, 0.6)]
    tried += [("latent_blend", {"share": share, "detail": 0}) for share in (0.2, 0.4)]
    tried += [("geometric", {"moves": moves}) for moves in (5, 30)]
    cells = []
    for row in (0, 4):
        sample = Sample(bank.pixels[row], bank.labels[row])
        cells.append(sheet.cell(sample, [f"class {sample.label}"]))
        for op, numbers in tried:
            some = bank.of_others(str(sample.label)) if op == "latent_blend" else bank.of_class(str(sample.label))
            others = [name for name in some if name != bank.names[row]]
            partner = others[0] if op in ("latent_mix", "latent_blend") else None
            cells.append(sheet.cell(*_shown(sample, (AppliedStep(op, numbers, 0, partner),), space)))
    _write_cells(cells, IMAGES / "augment-latent.jpg")


def _shown(
    sample: Sample, steps: tuple[AppliedStep, ...], space: LatentSpace | None = None
) -> tuple[Sample, list[str]]:
    record = VariantRecord(0, ("sheet",), steps)
    done = apply([sample], [record], space=space)[0]
    return done, [f"{steps[0].op} {' '.join(f'{value:g}' for value in steps[0].numbers.values())}"]


def _pixels(images: ImageSet, count: int) -> np.ndarray:
    return np.stack([images.load(k).pixels for k in range(count)])


def _write_cells(cells: list[np.ndarray], path: Path) -> None:
    rows = [sheet.joined(cells[k : k + 6]) for k in range(0, len(cells), 6)]
    write(Picture(sheet.stacked(rows)), path, quality=85)


def write_page(found: dict[str, Any]) -> None:
    """Tables between the marks of docs/augment.md."""
    rows = numbers(found, CASES, json.loads(SPEED.read_text()) if SPEED.exists() else None)
    begin, end = "<!-- numbers: made by benchmarks/augment.py -->", "<!-- end of numbers -->"
    text = PAGE.read_text()
    before, after = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    PAGE.write_text(f"{before}\n\n" + "\n".join(rows) + f"\n\n{after}")


if __name__ == "__main__":
    main()
