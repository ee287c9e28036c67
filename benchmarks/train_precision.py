"""In which precision does a shipped recipe train fastest here, and does `precision = "auto"` choose it?

    python benchmarks/train_precision.py               # on this processor as it is
    python benchmarks/train_precision.py --avx2        # as if it had nothing newer than AVX2

Steps on random pictures of the recipes' own sizes, in float32 and bfloat16 in turns; medians. Writes
benchmarks/results/train_precision.json, or train_precision_avx2.json. Needs the `train` extra; about two minutes on two
cores. With --avx2, oneDNN, which runs torch's convolutions on processors, is told to use AVX2 alone.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

if "--avx2" in sys.argv:
    os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"  # before torch is imported

import torch

from safelight.dataset.form import Form
from safelight.ladder.restorer import build_restorer
from safelight.learn.checkpoint import Progress
from safelight.learn.device import layer_precision, place
from safelight.learn.images.data import Images
from safelight.learn.images.objectives import ImageObjective, Trainee
from safelight.learn.images.sizes import build_model
from safelight.learn.optimise import build_optimiser, guarded_step
from safelight.learn.restore.data import Pair
from safelight.learn.restore.task import RestoreObjective, unfreeze
from safelight.learn.task import Group, Moment
from safelight.learn.train import read_recipe
from safelight.runtime import machine

RECIPES = Path(__file__).parents[1] / "recipes"
RESULTS = Path(__file__).parent / "results"
FORMS = {"dataset": Form(64, 64, 1, "crop"), "mnist": Form(28, 28, 1, "crop")}
PICTURES = 200
"""Of the set that sizes of `auto` are chosen for."""
SECONDS = 12
"""For each recipe and precision."""
Step = Callable[[], int]


def images_step(name: str, precision: str) -> Step:
    """One step of a VAE of a set of pictures."""
    recipe, form = read_recipe(RECIPES / f"{name}.toml"), FORMS[name]
    stage = recipe.stages[0].model_copy(update={"precision": precision})
    model = Trainee(build_model(recipe, form, 0, PICTURES), None)
    place(model)
    batch = Images(torch.rand(stage.batch, form.channels, form.height, form.width), None)
    objective = ImageObjective(model, stage, recipe.seed, Group())
    return updating(objective, list(model.parameters()), stage, batch)


def restore_step(name: str, precision: str) -> Step:
    """One step of a restorer's mean."""
    recipe = read_recipe(RECIPES / f"{name}.toml")
    stage = recipe.stages[0].model_copy(update={"precision": precision})
    model = build_restorer(**recipe.model.model_dump())
    place(model)
    model.requires_grad_(False)
    parameters = unfreeze(model, stage)
    clean = torch.rand(stage.batch, 3, stage.patch_px, stage.patch_px).contiguous(memory_format=torch.channels_last)
    pair = Pair(clean, clean + 0.1 * torch.randn_like(clean), torch.full((stage.batch,), -1.0))
    return updating(RestoreObjective(model, stage, recipe.seed, Group()), parameters, stage, pair)


def updating(objective: torch.nn.Module, parameters: list, stage: object, batch: object) -> Step:
    """A step that says how many samples it took."""
    optimiser, progress = build_optimiser(parameters, stage), Progress()

    def step() -> int:
        loss, _ = objective(batch, Moment(0, progress.step, 1.0))
        optimiser.zero_grad()
        loss.backward()
        guarded_step(parameters, optimiser, progress)
        return stage.batch

    return step


def rates(steps: dict[str, Step]) -> dict[str, float]:
    """Median samples per second of each, in turns, so that a busy machine is busy for all."""
    measured: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    end = time.perf_counter() + SECONDS * len(steps)
    while time.perf_counter() < end:
        for name, step in steps.items():
            began = time.perf_counter()
            count = step()
            measured[name].append(count / (time.perf_counter() - began))
    return {name: round(statistics.median(values), 1) for name, values in measured.items()}


def main() -> None:
    """Measure each recipe, and compare what `auto` takes with the better one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--avx2", action="store_true", help="as if the processor had nothing newer than AVX2")
    if parser.parse_args().avx2:
        machine._cpuinfo = lambda: "avx2"  # what a processor without newer instructions tells
    chosen = str(layer_precision("auto")).removeprefix("torch.")
    results: dict[str, object] = {"threads": torch.get_num_threads(), "auto_takes": chosen}
    for name, make in (("photo", restore_step), ("dataset", images_step), ("mnist", images_step)):
        speeds = rates({precision: make(name, precision) for precision in ("float32", "bfloat16")})
        share = round(speeds[chosen] / max(speeds.values()), 3)
        results[name] = {f"{k}_samples_per_s": v for k, v in speeds.items()} | {"auto_over_better": share}
        print(name, results[name], flush=True)
    file = RESULTS / f"train_precision{'_avx2' if '--avx2' in sys.argv else ''}.json"
    file.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
