"""What `benchmarks/vae_gallery.py` measured and drew, as docs/vae-gallery.md."""

from collections.abc import Iterable, Mapping
from typing import Any

Results = Mapping[str, Mapping[str, float]]
Titles = Mapping[str, str]
"""Name of a model → what it is called."""
HEAD = """# VAEs of sets of pictures: what they look like, and their numbers

Made by `python benchmarks/vae_gallery.py`; do not edit by hand.

This page shows VAEs of sets of pictures. Five of them have no learned prior: one of digits, one of steel surfaces,
and three of flowers. Their recipes lie beside the benchmark. They are of an earlier version, and make other latents
than today's `recipes/dataset.toml`. Every number is of held-out pictures. Machine of the five models: {machine}.

{learned}

## Reconstructions in numbers

The table has the training time of each model, and the quality of its reconstructions. Bits per dimension come from the
ELBO. The model of digits has a likelihood of 8-bit values, so its bits per dimension are exact. The other models have a
Gaussian likelihood with uniform dequantisation. The bits per dimension of the autoencoder mean nothing, because its
latents carry no noise."""
LEARNED_HEAD = """## Samples from a learned prior

The table has Fréchet distances of 2,000 samples to held-out pictures, in two feature spaces. One is the classifier of
the set's own labels. The other is EfficientNet-Lite0, which knows photographs. Lower is better. Three numbers stand
in a cell: for samples of the learned prior, for samples of the mixture, and for as many training pictures. The
models are of `recipes/dataset.toml`: digits as it is, flowers with `size_px = 64`, `flip = true` and `beta = 4`."""
NONE_LEARNED = """## Samples from a learned prior

No model with a learned prior has been measured for this page yet. The lab notebook has first numbers."""
LEARNED = {
    "minutes": "minutes",
    "own": "distance, own classifier",
    "independent": "distance, EfficientNet-Lite0",
    "coverage": "recall / precision, EfficientNet-Lite0",
    "class": "class seen by an independent classifier, samples / pictures",
}
RECONSTRUCTIONS = {
    "minutes": "training, minutes",
    "bits_per_dim": "bits per dimension",
    "psnr_db": "PSNR, dB",
    "ssim": "SSIM",
}
LATENTS = """The next table has the number of latents. A latent is active if its posterior mean differs from picture to
picture."""
ACTIVE = {"active_units": "active latents", "latents": "all latents"}
SAMPLES = """## Samples in numbers

Samples come from the prior, or from the aggregate posterior. The aggregate posterior is the density of the latents of
the set's pictures. The Fréchet distance, precision and recall are measured in the features of a small classifier. The
classifier was trained on the set's own labels, so compare the numbers within one set only.

The table has the Fréchet distance between samples and pictures. Lower is better."""
DISTANCE = {"prior_frechet_distance": "prior", "aggregate_frechet_distance": "aggregate posterior"}
COVERAGE = """The next table has precision and recall. Precision is the share of samples that lie among the pictures.
Recall is the share of pictures that lie among the samples. Higher is better."""
PRECISION_AND_RECALL = {
    "prior_precision": "precision, prior",
    "aggregate_precision": "precision, aggregate",
    "prior_recall": "recall, prior",
    "aggregate_recall": "recall, aggregate",
}
MEMORY = """The last table has the distance to the nearest training picture: the root mean square of pixel differences,
where white is 1. The samples are from the aggregate posterior. If samples are much nearer than held-out pictures, the
model repeats training pictures."""
NEAREST = {
    "nearest_training_rms_of_samples": "samples",
    "nearest_training_rms_of_held_out": "held-out pictures",
}
PICTURES = {
    "reconstructions": "Top row: held-out pictures. Bottom row: their reconstructions.",
    "prior": "Samples from the prior, N(0, 1).",
    "aggregate": "Samples from the aggregate posterior.",
    "classes": "Samples from the aggregate posterior. Each row is one class.",
    "way": "Interpolation between two pictures. Top row: along a sphere. Bottom row: along a straight line.",
}
TAIL = """## Latent space and training

The first diagram has the latents of held-out digits, in the two directions that separate the classes best. The second
diagram has the error and the rate of held-out pictures over the training time.

![Held-out digits in latent space](images/vae-latent-map.png)

![Error and rate over minutes](images/vae-curves.png)
"""


def learned_part(samples: Mapping[str, Any]) -> str:
    """What `benchmarks/samples.py` measured of models with a learned prior: sheets first, numbers after."""
    if not samples:
        return NONE_LEARNED
    rows = [_row(["model", *LEARNED.values()]), "|---" * (1 + len(LEARNED)) + "|"]
    sheets: list[str] = []
    for name, found in samples.items():
        words = f"Samples of {name} from the learned prior, a row for each class, none of them picked."
        sheets += [words, "", f"![{words}](images/samples-{name}.png)", ""]
        flow, mixture = found["flow"], found["aggregate"]
        cells = [f"{found['minutes']:.0f}"]
        for space in ("own", "efficientnet_lite0"):
            real = found["frechet_distance_of_training_pictures"][space]
            cells.append(
                " / ".join(
                    f"{one:.3g}" for one in (flow["frechet_distance"][space], mixture["frechet_distance"][space], real)
                )
            )
        cells.append(f"{flow['recall']['efficientnet_lite0']:.2f} / {flow['precision']['efficientnet_lite0']:.2f}")
        cells.append(
            f"{flow['class_agreement']['network']:.0%} / {found['class_agreement_of_held_out']['network']:.0%}"
        )
        rows.append(_row([name, *cells]))
    return "\n".join([LEARNED_HEAD, "", *sheets, *rows])


def page(results: Results, titles: Titles, machine: str, samples: Mapping[str, Any]) -> str:
    """The whole page."""
    head = HEAD.format(machine=machine, learned=learned_part(samples))
    lines = [*head.splitlines(), "", *table(results, titles, RECONSTRUCTIONS), ""]
    for words, columns in (
        (LATENTS, ACTIVE),
        (SAMPLES, DISTANCE),
        (COVERAGE, PRECISION_AND_RECALL),
        (MEMORY, NEAREST),
    ):
        lines += [*words.splitlines(), "", *table(results, titles, columns), ""]
    for name, title in titles.items():
        lines += [f"## {title}", ""]
        for what, words in PICTURES.items():
            lines += [words, "", f"![{words}](images/vae-{name}-{what}.png)", ""]
    return "\n".join(lines) + "\n" + TAIL


def table(results: Results, titles: Titles, columns: Mapping[str, str]) -> list[str]:
    """Models downwards, in Markdown."""
    rows = [[title, *(_cell(results[name], column) for column in columns)] for name, title in titles.items()]
    return [_row(["model", *columns.values()]), "|---" * (1 + len(columns)) + "|", *map(_row, rows)]


def _cell(numbers: Mapping[str, float], name: str) -> str:
    if name == "minutes":
        return f"{numbers[name]:.1f}"
    return f"{numbers[name]:.4g}" if name in numbers else ""


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
