"""Is data loading the bottleneck of training? Samples per second of the loader alone and of the step alone.

    python benchmarks/train_speed.py recipes/photo.toml --data ../shared/data/photos

Writes benchmarks/results/train_speed.json. Needs the `train` extra; about a minute on two cores.
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
from safelight.learn.data import Pair, loader, training_pairs
from safelight.learn.objectives import OBJECTIVES, draw_noise
from safelight.learn.optimise import build_optimiser, guarded_step
from safelight.learn.settings import load_recipe
from safelight.learn.store import build_store

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
    recipe = load_recipe(ask.recipe)
    store, _ = build_store(ask.data, Path(".cache/pixels"), recipe.data.scales, 128)
    pairs = training_pairs(recipe, store, "speed")
    batches = iter(loader(pairs, 0, 10**6, recipe.stages[0].batch, workers=0))
    results = {"loader_alone_samples_per_s": rate(lambda: len(next(batches)[0])), "threads": torch.get_num_threads()}
    batch = next(batches)
    pair = Pair(*(t.contiguous(memory_format=torch.channels_last) for t in batch[:2]), batch[2])
    model = build_restorer(**recipe.model.model_dump()).to(memory_format=torch.channels_last)
    noise = draw_noise(model, pair.clean.shape, torch.Generator().manual_seed(0))
    for stage in recipe.stages:
        model.requires_grad_(False)
        part = (model.trunk if stage.objective == "mean" else model.ladder).requires_grad_(True)
        parameters, progress = list(part.parameters()), Progress()
        optimiser = build_optimiser(parameters, stage)

        def step(stage=stage, parameters=parameters, progress=progress, optimiser=optimiser) -> int:
            loss, _ = OBJECTIVES[stage.objective](model, pair, noise, 1.0)
            optimiser.zero_grad()
            loss.backward()
            guarded_step(parameters, optimiser, progress)
            return len(pair.clean)

        results[f"{stage.objective}_step_alone_samples_per_s"] = rate(step)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
