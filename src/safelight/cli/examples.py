"""What `--help` shows first: a few ways to call each command."""

EXAMPLES = {
    "enhance": (
        "safelight enhance photos/ -r",
        "safelight enhance scan.tif -o clean.tif --samples 4 --uncertainty",
        "safelight enhance photos/ -o restored/ --compare look.html",
    ),
    "compress": (
        "safelight compress photos/ -r -o small/ --quality 50",
        "safelight compress scan.tif --max-bytes 200000",
    ),
    "decompress": (
        "safelight decompress small/ -r -o back/",
        "safelight decompress scan.latent -o scan.png",
    ),
    "studio": (
        "safelight studio",
        "safelight studio photos/ --open",
    ),
    "data": (
        "safelight data photos_by_class/",
        "safelight data pictures.npz --json",
    ),
    "train": (
        "safelight train recipes/photo.toml --data photos/ --start photo --budget 30m",
        "safelight train recipes/dataset.toml --data photos_by_class/ --budget 10m",
        "safelight train recipes/photo.toml --data photos/ --resume",
    ),
    "generate": (
        "safelight generate --model runs/mine/bundle -n 64 -o new/",
        "safelight generate --model runs/mine/bundle --class daisy -o sheet.png",
    ),
    "augment": (
        "safelight augment flowers/ -o more/ --recipe recipes/augment.toml --copies 4",
        "safelight augment flowers/ -o again/ --replay more/manifest.jsonl",
    ),
    "verdict": ("safelight verdict flowers/ --recipe recipes/augment.toml",),
    "evaluate": (
        "safelight evaluate --model runs/mine/bundle --data photos_by_class/",
        "safelight evaluate --codec latent --data photos/ --html report.html",
    ),
}
"""By command. Each one is a whole line that the command accepts."""
