"""Does the bundle say when it is out of its depth? Pictures that it does not know, and photographs that it does.

Everything is made by rules and seeds, 30 pictures of a kind, but for the steel surfaces and the photographs.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from sets import pictures

import safelight
from safelight import randomness
from safelight.degrade import DegradeStep, draw, replay

COUNT, SIDE = 30, 320


def line_art(rng: np.random.Generator) -> np.ndarray:
    """Black lines and circles on white."""
    image = Image.new("L", (SIDE, SIDE), 255)
    pen = ImageDraw.Draw(image)
    for _ in range(30):
        pen.line([int(v) for v in rng.integers(0, SIDE, 4)], fill=0, width=int(rng.integers(1, 3)))
    for _ in range(15):
        x, y, size = (int(v) for v in rng.integers(5, SIDE - 60, 3))
        pen.ellipse([x, y, x + size, y + size], outline=0)
    return colour(np.asarray(image) / 255)


def text_scan(rng: np.random.Generator) -> np.ndarray:
    """A page of made-up words, grey on not quite white, with a scanner's faint noise."""
    size = int(rng.integers(12, 22))
    image, font = Image.new("L", (SIDE, SIDE), 255), ImageFont.load_default(size)
    pen = ImageDraw.Draw(image)
    for row in range(0, SIDE, size + 6):
        words = ("".join(chr(97 + rng.integers(26)) for _ in range(rng.integers(2, 9))) for _ in range(14))
        pen.text((8, row), " ".join(words), fill=int(rng.integers(0, 60)), font=font)
    page = np.asarray(image) / 255 * rng.uniform(0.88, 1)
    return colour(page + 0.008 * rng.standard_normal(page.shape))


def satellite(rng: np.random.Generator) -> np.ndarray:
    """Seen from above: fields with furrows, a grid of roofs with shadows, roads."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    seeds = rng.uniform(0, SIDE, (70, 2))
    field = ((rows[..., None] - seeds[:, 0]) ** 2 + (columns[..., None] - seeds[:, 1]) ** 2).argmin(-1)
    earth = np.array([[0.25, 0.35, 0.15], [0.45, 0.4, 0.25], [0.2, 0.25, 0.12], [0.5, 0.48, 0.35], [0.35, 0.3, 0.2]])
    tint = earth[rng.integers(len(earth), size=70)] * rng.uniform(0.8, 1.2, (70, 1))
    angle, period = rng.uniform(0, np.pi, 70)[field], rng.uniform(2.5, 8, 70)[field]
    furrows = 1 + 0.15 * np.sign(np.sin(2 * np.pi * (np.cos(angle) * columns + np.sin(angle) * rows) / period))
    pixels = tint[field] * furrows[..., None]
    for _ in range(160):
        row, column = rng.integers(0, SIDE - 12, 2)
        height, width = rng.integers(4, 11, 2)
        pixels[row + 2 : row + height + 2, column + 2 : column + width + 2] *= 0.35
        pixels[row : row + height, column : column + width] = rng.choice([0.85, 0.6, 0.45]) * rng.uniform(0.8, 1, 3)
    for _ in range(4):
        row = int(rng.integers(SIDE - 4))
        pixels[row : row + 3] = 0.55
        pixels[:, SIDE - row - 3 : SIDE - row] = 0.55
    return pixels + 0.01 * rng.standard_normal(pixels.shape)


def salt_and_pepper(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """6 % of the pixels black or white."""
    chance = rng.random(photo.shape[:2])
    return np.where(chance[..., None] < 0.03, 0, np.where(chance[..., None] > 0.97, 1, photo))


def banding(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every row brighter or darker by its own amount, σ = 15/255."""
    return photo + 0.06 * rng.standard_normal((photo.shape[0], 1, 1))


def blotches(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise of σ = 20/255 that is smooth over 2.5 px."""
    white = rng.standard_normal(photo.shape).astype(np.float32)
    smooth = replay(white, draw([DegradeStep.fixed("gaussian_blur", sigma_px=2.5)], 0, "blotches"))
    return photo + 0.08 * smooth / smooth.std()


def speckle(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Multiplied by 1 + N(0, 0.4²), equal in all channels, as coherent light does."""
    return photo * (1 + 0.4 * rng.standard_normal((*photo.shape[:2], 1)))


def hum(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A wave of 3.3 px, as interference leaves it."""
    return photo + 0.06 * np.sin(2 * np.pi * np.arange(photo.shape[1]) / 3.3)[None, :, None]


def halftone(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As printed in black: dots on a grid of 4.5 px at 45°, the larger the darker."""
    rows, columns = np.mgrid[: photo.shape[0], : photo.shape[1]] * (2 * np.pi / 4.5 / np.sqrt(2))
    screen = 0.5 + 0.25 * (np.cos(rows + columns) + np.cos(rows - columns))
    return colour((photo.mean(axis=2) > screen).astype(np.float32))


def enlarged(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every fourth pixel as a square of 4 px."""
    return photo[::4, ::4].repeat(4, axis=0).repeat(4, axis=1)


def combing(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Interlaced video of something that moves: every other row 5 px aside."""
    pixels = photo.copy()
    pixels[1::2] = np.roll(pixels[1::2], 5, axis=1)
    return pixels


STRANGE: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "line art": line_art,
    "text scans": text_scan,
    "satellite-like textures": satellite,
}
OTHER_NOISE: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "salt and pepper": salt_and_pepper,
    "banding": banding,
    "blotches": blotches,
    "speckle": speckle,
    "hum": hum,
}
UNSEEN: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "halftone": halftone,
    "enlarged": enlarged,
    "combing": combing,
}
"""Thought of after the statistics had been chosen with the other kinds at hand."""


def measure_anomaly(model: safelight.Restorer, data: Path) -> dict[str, dict[str, float]]:
    """For each kind of picture the share that is said to be outside, and the median score (1 is the limit)."""
    kinds = {name: [make(rng(name, k)) for k in range(COUNT)] for name, make in STRANGE.items()}
    photos = [photo for _, photo in pictures(data / "bench" / "kodak24")]
    for name, spoil in (OTHER_NOISE | UNSEEN).items():
        kinds[f"Kodak24, {name}"] = [spoil(photo, rng(name, k)) for k, photo in enumerate(photos)]
    kinds["steel surfaces"] = list(steel(data))
    for folder in ("kodak24", "cbsd68", "live1"):
        kinds[f"{folder}, clean"] = [photo for _, photo in pictures(data / "bench" / folder)]
    for sigma in (15, 50):
        noise = [DegradeStep.fixed("gaussian_noise", sigma_255=sigma), DegradeStep("quantise")]
        kinds[f"kodak24, noise {sigma}"] = [replay(photo, draw(noise, 0, k)) for k, photo in enumerate(photos)]
    jpeg = [DegradeStep.fixed("jpeg", quality=20)]
    kinds["kodak24, JPEG 20"] = [replay(photo, draw(jpeg, 0, k)) for k, photo in enumerate(photos)]
    return {f"Outside? {name}": told(model, some) for name, some in kinds.items()}


def told(model: safelight.Restorer, some: list[np.ndarray]) -> dict[str, float]:
    """What the model says of some pictures, rounded to 8 bits as in files."""
    outs = [model.enhance(safelight.Picture(stored(pixels)), uncertainty=False) for pixels in some]
    scores = [out.ood_score for out in outs if out.ood_score is not None]
    share = float(np.mean([out.out_of_distribution for out in outs]))
    return {"pictures": len(outs), "outside": round(share, 3), "median_anomaly": round(float(np.median(scores)), 3)}


def stored(pixels: np.ndarray) -> np.ndarray:
    """As 8-bit files hold it."""
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def steel(data: Path) -> Iterator[np.ndarray]:
    """Mosaics of 64 px photographs of steel: photographs, but of nothing that was trained on."""
    with np.load(data / "labelled" / "neu_defects_64.npz") as file:
        images = file["images"].reshape(-1, 64, 64)
    for k in range(COUNT):
        tiles = images[[(16 * k + i) * 7 % len(images) for i in range(16)]].reshape(4, 4, 64, 64)
        yield colour(tiles.transpose(0, 2, 1, 3).reshape(256, 256) / 255)


def colour(grey: np.ndarray) -> np.ndarray:
    """(H, W) → (H, W, 3)."""
    return np.repeat(grey[..., None], 3, axis=2)


def rng(name: str, k: int) -> np.random.Generator:
    """One generator for each picture."""
    return randomness.generator(0, name, k)
