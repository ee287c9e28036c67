"""How far an unfinished run of a restorer has come, and its averaged weights in float16, to keep in the repository.

    python -m tools.milestone recipes/photo-best.toml --run runs/photo-best --data ../shared/data/photos \
        --experts noise -o milestones/photo-best/weights.safetensors

Prints the steps, the multiplications of the trunk per pixel, and PSNR in dB on the held-out photographs that calibrate.
`safelight train RECIPE --start milestones/.../weights.safetensors` goes on from the file.
"""

import argparse
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from safelight.ladder.restorer import RestorerNet, build_restorer
from safelight.learn import checkpoint
from safelight.learn.restore.export import TRAINING_ONLY
from safelight.learn.restore.recipe import RestoreRecipe
from safelight.learn.store import build_store
from safelight.learn.restore.validate import CROP_PX, build_validation, validate_mean
from safelight.learn.run import RunFolder
from safelight.learn.train import read_recipe
from safelight.work import replacing

SIDE_PX = 64
"""Of the picture whose multiplications are counted."""


def tell(line: str) -> None:
    """As soon as it is known."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def multiplications_per_pixel(trunk: nn.Module) -> float:
    """Of all convolutions of the trunk, for one pixel of the picture."""
    counted: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        at = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output  # the places where its kernel is applied
        counted.append(layer.weight.numel() * at.shape[2] * at.shape[3])

    layers = [layer for layer in trunk.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.inference_mode():
        trunk(torch.zeros(1, 3, SIDE_PX, SIDE_PX), torch.tensor([-1.0]))
    for hook in hooks:
        hook.remove()
    return sum(counted) / SIDE_PX**2


def averaged(run: RunFolder, experts: list[str]) -> dict[str, Tensor]:
    """The weights that a run of these experts begins with: averaged over steps, in float16."""
    saved = checkpoint.find(run.checkpoint)
    if saved is None:
        raise SystemExit(f"{run.folder}: holds no checkpoint; name another --run")
    done = checkpoint.load_progress(saved)
    tell(f"stage {done.stage + 1}, step {done.step}")
    weights = load_file(saved / "ema.safetensors")
    own = {name: tensor for name, tensor in weights.items() if name.partition(".")[0] in experts}
    return {n: t.half().contiguous() for n, t in own.items() if not TRAINING_ONLY.match(n.partition(".")[2])}


def restorer(recipe: RestoreRecipe, weights: dict[str, Tensor], expert: str) -> RestorerNet:
    """One expert with those weights."""
    model = build_restorer(**recipe.model.model_dump())
    own = {name.partition(".")[2]: tensor.float() for name, tensor in weights.items() if name.startswith(f"{expert}.")}
    model.load_state_dict(own, strict=False)
    return model.eval()


def main() -> None:
    """Measure, then write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", type=Path)
    for flags in (("--run",), ("--data",), ("-o", "--output")):
        parser.add_argument(*flags, type=Path, required=True)
    parser.add_argument("--experts", nargs="+", required=True, help="those that have been trained")
    ask = parser.parse_args()
    recipe = read_recipe(ask.recipe)
    assert isinstance(recipe, RestoreRecipe)
    weights = averaged(RunFolder(ask.run), ask.experts)
    smallest = CROP_PX + recipe.data.margin_px
    store, _ = build_store(ask.data, Path(".cache/pixels"), recipe.data.scales, smallest)
    batches = build_validation(store.part(0, recipe.data.validation_share).halves()[0], recipe.seed)
    for expert in ask.experts:
        model = restorer(recipe, weights, expert)
        tell(f"{expert}: {multiplications_per_pixel(model.trunk):.0f} multiplications per pixel in the trunk")
        for name, value in validate_mean(model, batches).items():
            tell(f"{expert}: {name} {value:.2f}")
    ask.output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(ask.output) as part:
        save_file(weights, part)
        part.chmod(0o644)  # safetensors makes it private
    tell(f"{ask.output}: {ask.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
