"""What three minutes of training bring: 200 pictures of signs of 64 px, ten classes, made by rules and a seed.

    python benchmarks/short_run.py [--budget 3m] [--avx2] [--out runs/short]

Each picture is a digit on a disc with a coloured rim, turned, lit and blurred a little. `recipes/dataset.toml` trains
on them. Prints the steps of each stage, the seconds of the whole command, and where the preview of the samples lies:
look at it. `--avx2` lets torch use no newer instructions, as on a processor that has none. Five minutes on two cores.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from sets import ROOT

from safelight import randomness

COUNT, CLASSES, DRAWN_PX, SIDE_PX = 200, 10, 128, 64
RIMS = ((200, 30, 30), (30, 60, 180), (20, 20, 20))
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def sign(rng: np.random.Generator, digit: int) -> Image.Image:
    """One picture."""
    ground = tuple(int(v) for v in rng.integers(60, 200, 3))
    image = Image.new("RGB", (DRAWN_PX, DRAWN_PX), ground)
    pen = ImageDraw.Draw(image)
    pen.ellipse((14, 14, 114, 114), fill=(245, 245, 240), outline=RIMS[digit % len(RIMS)], width=10)
    pen.text((64, 64), str(digit), font=ImageFont.load_default(60), fill=(15, 15, 15), anchor="mm")
    turned = image.rotate(float(rng.uniform(-8, 8)), resample=Image.Resampling.BICUBIC, fillcolor=ground)
    blurred = turned.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 1.5)))).resize((SIDE_PX, SIDE_PX))
    lit = np.asarray(blurred).astype(float) * rng.uniform(0.7, 1.15) + rng.normal(0, 4, (SIDE_PX, SIDE_PX, 3))
    return Image.fromarray(np.rint(lit.clip(0, 255)).astype(np.uint8))


def make_set(folder: Path) -> None:
    """A folder for each digit."""
    for number in range(COUNT):
        digit = number % CLASSES
        (folder / str(digit)).mkdir(parents=True, exist_ok=True)
        sign(randomness.generator(0, "sign", number), digit).save(folder / str(digit) / f"{number:03}.png")


def main() -> None:
    """Make, train, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="3m")
    parser.add_argument("--avx2", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "short")
    asked = parser.parse_args()
    signs, run = asked.out / "signs", asked.out / "run"
    make_set(signs)
    command = [sys.executable, "-m", "safelight", "train", str(ROOT / "recipes" / "dataset.toml"), "--data", str(signs)]
    command += ["--run", str(run), "--budget", asked.budget, "--cache", str(asked.out / "cache")]
    began = time.perf_counter()
    subprocess.run(command, check=True, env=os.environ | (AVX2 if asked.avx2 else {}))
    seconds = time.perf_counter() - began
    steps: dict[int, int] = {}
    for line in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()):
        steps[line["stage"]] = max(steps.get(line["stage"], 0), line["step"])
    print(
        f"steps of the stages: {[*steps.values()]}, together {sum(steps.values())}; the whole command {seconds:.0f} s"
    )
    print(f"look at {sorted((run / 'previews').glob('*.png'))[-1]}")


if __name__ == "__main__":
    main()
