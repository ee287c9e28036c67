"""Is data loading the bottleneck of training? Samples per second of one loader alone and of the step alone.

    python benchmarks/train_speed.py recipes/photo.toml --data ../shared/data/photos

Writes benchmarks/results/train_speed.json. Each objective's step in float32 and bfloat16, by AdamW and Muon, on one
batch of the recipe's first stage. Where a GPU trains, loaders leave noise, blur and exposure to it. Needs the `train`
extra; about two minutes on two cores.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from safelight.ladder.restorer import build_restorer
from safelight.learn.checkpoint import Progress
from safelight.learn.optimise import build_optimiser, guarded_step
from safelight.learn.restore.arithmetic import begin
from safelight.learn.restore.data import training_pairs
from safelight.learn.restore.loading import BatchNumbers, fetched_pairs
from safelight.learn.restore.task import RestoreObjective, unfreeze
from safelight.learn.store import build_store
from safelight.learn.task import Group, Moment
from safelight.learn.train import read_recipe

RESULTS = Path(__file__).parent / "results" / "train_speed.json"
BATCHES = 40


def rate(action: Callable[[], int]) -> float:
    """Median samples per second of an action that says how many it did."""
    rates = []
    for _ in range(BATCHES):
        began = time.perf_counter()
        count = action()
        rates.append(count / (time.perf_counter() - began))
    return round(statistics.median(rates[5:]), 1)


def main() -> None:
    """Loader alone in this process, and each stage's step alone on one fixed batch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    ask = parser.parse_args()
    recipe = read_recipe(ask.recipe)
    store, _ = build_store(ask.data, Path(".cache/pixels"), recipe.data.scales, 128)
    pairs = training_pairs(recipe, store, "speed")
    batches = fetched_pairs(pairs, BatchNumbers(0, recipe.stages[0].batch, Group()), workers=0)
    drawn = ([pairs.drawn(k) for k in numbers] for numbers in BatchNumbers(0, recipe.stages[0].batch, Group()))
    results = {
        "loader_alone_samples_per_s": rate(lambda: len(next(batches).batch.clean)),
        "loader_for_a_gpu_samples_per_s": rate(lambda: len(begin(next(drawn), pairs.patch_px).steps)),
        "threads": torch.get_num_threads(),
    }
    pair = next(batches).batch
    model = build_restorer(**recipe.model.model_dump()).to(memory_format=torch.channels_last)
    first_of_each = {stage.objective: stage for stage in reversed(recipe.stages)}
    for objective, stage in first_of_each.items():
        for precision, optimiser_name in (("float32", "adamw"), ("bfloat16", "adamw"), ("bfloat16", "muon")):
            variant = stage.model_copy(update={"precision": precision, "optimiser": optimiser_name})
            model.requires_grad_(False)
            parameters, progress = unfreeze(model, variant), Progress()
            optimiser, whole = (
                build_optimiser(parameters, variant),
                RestoreObjective(model, variant, recipe.seed, Group()),
            )

            def step(whole=whole, parameters=parameters, progress=progress, optimiser=optimiser) -> int:
                loss, _ = whole(pair, Moment(0, progress.step, 1.0))
                optimiser.zero_grad()
                loss.backward()
                guarded_step(parameters, optimiser, progress)
                return len(pair.clean)

            results[f"{objective}_step_alone_{precision}_{optimiser_name}_samples_per_s"] = rate(step)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
