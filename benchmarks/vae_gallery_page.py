"""What `samples.py`, `samples_peer.py` and `vae_gallery.py` measured and drew, as docs/vae-gallery.md."""

from collections.abc import Iterable, Mapping
from typing import Any

Found = Mapping[str, Any]
SPACE = "efficientnet_lite0"
HEAD = """# VAEs of sets of pictures: what they look like, and their numbers

Made by `python benchmarks/vae_gallery.py`; do not edit by hand.

This page shows what `safelight train recipes/dataset.toml` makes of sets of pictures: a VAE, a sharper decoder, the
detail that decoded pictures lack, and a learned prior, from which new pictures are drawn. No picture on this page was
picked. Every number is of held-out pictures, which no model has seen. The numbers stand below the pictures."""
SETS = {
    "mnist": ("Digits, MNIST, 28 px", "The recipe as it is, but without the stage of the detail."),
    "steel": ("Steel surfaces, NEU, 64 px", "The recipe with `flip = true`. The set has 1,800 pictures."),
    "flowers-32": (
        "Flowers, 32 px",
        """The recipe with `size_px = 32`,
`flip = true`, `widths = [64, 128]`, `latents = [0, 8]`, `blocks = [2, 2]`.
The set has 4,317 photographs of 128 px. They were enlarged before they came into the set: 32 px hold nearly all of
their detail. For EfficientNet-Lite0, samples are enlarged to 64 px, and compared with photographs of 64 px.""",
    ),
    "flowers": (
        "Flowers, 64 px",
        "The same photographs. The recipe with `size_px = 64`, `flip = true`, `beta = 4`, and no stage of the detail.",
    ),
    "flowers-128": (
        "Flowers, 128 px",
        "The recipe with `size_px = 128`, `flip = true` and `beta = 4`. The photographs are the same.",
    ),
}
PICTURES = {
    "": "Samples from the learned prior. Each row is one class.",
    "-nearest": "Top row: samples. Bottom row: for each of them, the training picture that is nearest to it.",
    "-reconstructions": "Top row: held-out pictures. Bottom row: their reconstructions.",
    "-way": "A way through the latents, from one held-out picture to another.",
}
DISTANCES = """## Samples in numbers

The Fréchet distance compares 2,000 samples with held-out pictures. Lower is better. Two feature spaces are used. One is
the classifier of the set's own labels. The other is EfficientNet-Lite0, which was trained on photographs, and knows
nothing of the set. The numbers of two sets cannot be compared. *Real pictures* are training pictures, at most 2,000.
The *density of latents* is a Gaussian mixture of what the encoder makes of the training pictures. All samples of a
model that draws [detail](model.md#detail) have it, but those of the second column."""
QUALITY = """The next table has precision, recall and classes. Precision is the share of samples that lie among the
pictures. Recall is the share of pictures that lie among the samples. Both are in the features of EfficientNet-Lite0.
The class of a sample is seen by a small network that had no part in the model. The last column has the time for 64
samples."""
MEMORY = """The next table shows whether a model repeats training pictures. It has the distance to the nearest training
picture: the root mean square of pixel differences, where white is 1. If samples are much nearer than reconstructions
of held-out pictures, the model repeats training pictures. Reconstructions are as smooth as samples, or have a drawn
detail as samples do. The numbers in brackets are of the nearest 5 %."""
PEER = """## Beside pythae

[pythae](https://github.com/clementchadebec/benchmark_VAE) (Chadebec et al., NeurIPS Datasets and Benchmarks 2022) is a
library of VAEs. Its VAE learned the same pictures on the same machine, with its own networks and defaults. The dense
network had its default of 100 epochs, the convolutions as many minutes as our model. The row has the sampler that is
best by EfficientNet-Lite0, of N(0, 1), a Gaussian mixture and a masked autoregressive flow (MAF). The flow is chosen by
the held-out pictures that it is then compared with, which favours it."""
PEERS = {"pythae_mlp": "pythae, dense layers", "pythae_conv": "pythae, convolutions"}
PEER_SAMPLERS = {"normal": "N(0, 1)", "mixture": "Gaussian mixture", "maf": "MAF"}
SHORT = """## VAE, VAE-GAN, autoencoder, and a likelihood of 8 bits

Four models without a learned prior, each trained for about a minute. Machine: {machine}. Bits per dimension come from
the ELBO. They are exact for the last model, whose likelihood is of 8-bit values. The others have a Gaussian likelihood.
The autoencoder has no noise in its latents, so its bits per dimension mean nothing."""
SHORT_COLUMNS = {
    "minutes": "minutes",
    "bits_per_dim": "bits per dimension",
    "psnr_db": "PSNR, dB",
    "ssim": "SSIM",
    "prior_frechet_distance": "distance, N(0, 1)",
    "aggregate_frechet_distance": "distance, density of latents",
}
SHORT_PICTURES = {
    "reconstructions": "Top row: held-out pictures. Bottom row: their reconstructions.",
    "samples": "Top row: samples from the prior, N(0, 1). Bottom row: samples from the density of latents.",
}


LARGE_PX = 100


def sheet_file(name: str, side_px: int) -> str:
    """JPEG for sheets of large pictures, which take megabytes as PNG."""
    return f"{name}.{'jpg' if side_px >= LARGE_PX else 'png'}"


def page(results: Found, titles: Mapping[str, str], samples: Found) -> str:
    """The whole page: of the four models `results`, of those with a learned prior `samples`."""
    shown = [name for name in SETS if name in samples]
    lines = HEAD.splitlines()
    for name in shown:
        title, recipe = SETS[name]
        found = samples[name]
        machine = f"The model was trained for {found['minutes']:.0f} minutes on {found['trained_with']}."
        lines += [
            "",
            f"## {title}",
            "",
            f"{recipe} {machine}",
            *_pictures(f"samples-{name}", PICTURES, found.get("side_px", 0)),
        ]
    of_sets = {SETS[name][0]: samples[name] for name in shown}
    lines += ["", *DISTANCES.splitlines(), "", *_distances(of_sets), "", *QUALITY.splitlines(), "", *_quality(of_sets)]
    lines += ["", *MEMORY.splitlines(), "", *_memory(of_sets)]
    compared = [name for name in shown if PEERS.keys() & samples[name].keys()]
    if compared:
        lines += ["", *PEER.splitlines(), "", *_peers(samples, compared)]
        for name in compared:
            for peer in (one for one in PEERS if one in samples[name]):
                words = f"{SETS[name][0]}: samples of {PEERS[peer]}, by its best sampler."
                lines += ["", words, "", f"![{words}](images/samples-{name}-{peer.replace('_', '-')}.png)"]
    lines += ["", *SHORT.format(machine=results["machine"]).splitlines(), "", *_short(results, titles)]
    for name, title in titles.items():
        lines += ["", f"### {title}", *_pictures(f"vae-{name}", {f"-{k}": v for k, v in SHORT_PICTURES.items()})]
    return "\n".join([*lines, ""])


def _pictures(name: str, words: Mapping[str, str], side_px: int = 0) -> list[str]:
    files = {text: sheet_file(f"{name}{what}", side_px) for what, text in words.items()}
    return [line for text, file in files.items() for line in ("", text, "", f"![{text}](images/{file})")]


def _distances(of_sets: Mapping[str, Found]) -> list[str]:
    columns = ("learned prior", "the same without detail", "density of latents", "N(0, 1)", "real pictures")
    rows = []
    for title, found in of_sets.items():
        for space, words in (("own", "own classifier"), (SPACE, "EfficientNet-Lite0")):
            drawn = [
                f"{found[name]['frechet_distance'][space]:.3g}" if name in found else ""
                for name in ("flow", "flow_without_detail", "aggregate", "prior")
            ]
            real = found["frechet_distance_of_training_pictures"][space]
            rows.append([f"{title}; {words}", *drawn, f"{real:.3g}"])
    return table(["set and features", *columns], rows)


def _quality(of_sets: Mapping[str, Found]) -> list[str]:
    rows = []
    for title, found in of_sets.items():
        flow = found["flow"]
        coverage = [f"{flow[what][SPACE]:.2f}" for what in ("precision", "recall")]
        seen = [flow["class_agreement"]["network"], found["class_agreement_of_held_out"]["network"]]
        rows.append([title, *coverage, *(f"{share:.0%}" for share in seen), f"{flow['seconds_for_64']:.2f} s"])
    columns = ("precision", "recall", "class seen in samples", "class seen in pictures", "64 samples")
    return table(["set", *columns], rows)


def _memory(of_sets: Mapping[str, Found]) -> list[str]:
    rows = []
    for title, found in of_sets.items():
        nearest = [
            found["flow"]["nearest_training_rms"],
            found["nearest_training_rms_of_reconstructions"],
            found["nearest_training_rms_of_held_out"],
        ]
        rows.append([title, *(f"{one['mean']:.3f} ({one['lowest_5_percent']:.3f})" for one in nearest)])
    return table(["set", "samples", "reconstructions of held-out pictures", "held-out pictures"], rows)


def _peers(samples: Found, names: Iterable[str]) -> list[str]:
    rows = []
    for name in names:
        found, title = samples[name], SETS[name][0]
        rows.append([title, "Safelight", "learned prior", f"{found['minutes']:.0f}", *_both(found["flow"])])
        for peer, words in PEERS.items():
            if peer in found:
                best = min(PEER_SAMPLERS, key=lambda one: found[peer][one]["frechet_distance"][SPACE])
                minutes = f"{found[peer]['minutes']:.0f}"
                rows.append([title, words, PEER_SAMPLERS[best], minutes, *_both(found[peer][best])])
    columns = ("model", "sampler", "minutes", "distance, own classifier", "distance, EfficientNet-Lite0")
    return table(["set", *columns], rows)


def _both(numbers: Found) -> list[str]:
    return [f"{numbers['frechet_distance'][space]:.3g}" for space in ("own", SPACE)]


def _short(results: Found, titles: Mapping[str, str]) -> list[str]:
    rows = [[title, *(f"{results[name][column]:.4g}" for column in SHORT_COLUMNS)] for name, title in titles.items()]
    return table(["model", *SHORT_COLUMNS.values()], rows)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Markdown."""
    names = [*head]
    return [_row(names), "|---" * len(names) + "|", *map(_row, rows)]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
