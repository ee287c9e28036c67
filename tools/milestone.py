"""How far an unfinished run has come, and its averaged weights in float16, to keep in the repository.

    python -m tools.milestone recipes/photo-best.toml --run runs/photo-best --data ../shared/data/photos \
        --experts noise -o milestones/photo-best/weights.safetensors
    python -m tools.milestone recipes/latent.toml --run runs/latent --data ../shared/data/photos \
        -o milestones/latent/weights.safetensors

Of a restorer it prints the steps, the multiplications of the trunk per pixel, and PSNR in dB on the held-out
photographs that calibrate. Of a codec it prints the steps, and BD-rates, rates and PSNR on those that validate.
`safelight train RECIPE --start milestones/.../weights.safetensors` goes on from the file.
"""

import argparse
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from safelight.ladder.codec import HYPER_PX
from safelight.ladder.restorer import RestorerNet, build_restorer
from safelight.learn import checkpoint
from safelight.learn.codec.finish import load_model
from safelight.learn.codec.recipe import CodecRecipe
from safelight.learn.codec.validate import Held, validate
from safelight.learn.restore.export import TRAINING_ONLY
from safelight.learn.restore.recipe import RestoreRecipe
from safelight.learn.restore.validate import CROP_PX, build_validation, validate_mean
from safelight.learn.run import RunFolder
from safelight.learn.store import build_store
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


def restorer_weights(recipe: RestoreRecipe, run: RunFolder, data: Path, experts: list[str]) -> dict[str, Tensor]:
    """Of some experts, measured."""
    weights = averaged(run, experts)
    store, _ = build_store(data, Path(".cache/pixels"), recipe.data.scales, CROP_PX + recipe.data.margin_px)
    batches = build_validation(store.part(0, recipe.data.validation_share).halves()[0], recipe)
    for expert in experts:
        model = restorer(recipe, weights, expert)
        tell(f"{expert}: {multiplications_per_pixel(model.trunk):.0f} multiplications per pixel in the trunk")
        for name, value in validate_mean(model, batches).items():
            tell(f"{expert}: {name} {value:.2f}")
    return weights


def codec_weights(recipe: CodecRecipe, run: RunFolder, data: Path) -> dict[str, Tensor]:
    """Measured. Bases and tables stay in float32, since a picture's mean needs more digits."""
    model = load_model(recipe, run)
    saved = checkpoint.find(run.checkpoint)
    assert saved is not None
    done = checkpoint.load_progress(saved)
    tell(f"stage {done.stage + 1}, step {done.step}")
    store, _ = build_store(data, Path(".cache/pixels"), recipe.data.scales, HYPER_PX)
    held = Held.of(store.part(0, recipe.data.validation_share).halves()[0])
    for name, value in validate(model, held).items():
        tell(f"{name} {value:.4g}")
    is_small = {name: t.ndim == 4 and not name.endswith("basis") for name, t in model.state_dict().items()}
    return {name: (t.half() if is_small[name] else t).contiguous() for name, t in model.state_dict().items()}


def main() -> None:
    """Measure, then write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("recipe", type=Path)
    for flags in (("--run",), ("--data",), ("-o", "--output")):
        parser.add_argument(*flags, type=Path, required=True)
    parser.add_argument("--experts", nargs="+", default=[], help="those that have been trained, of a restorer")
    ask = parser.parse_args()
    recipe, run = read_recipe(ask.recipe), RunFolder(ask.run)
    if isinstance(recipe, CodecRecipe):
        weights = codec_weights(recipe, run, ask.data)
    else:
        assert isinstance(recipe, RestoreRecipe)
        weights = restorer_weights(recipe, run, ask.data, ask.experts)
    ask.output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(ask.output) as part:
        save_file(weights, part)
        part.chmod(0o644)  # safetensors makes it private
    tell(f"{ask.output}: {ask.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
