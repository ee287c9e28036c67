"""What `benchmarks/augment.py` measured, as the tables of docs/augment.md."""

from collections.abc import Iterable, Mapping
from typing import Any

Found = Mapping[str, Any]
WITHOUT_VAE = ("none", "duplicates", "classic", "classic_pool")
WITH_VAE = ("vae", "classic_vae", "classic_vae_pool", "classic_vae_taught")
QUESTIONS = {
    "classic_vae - classic": "What do latent variants add to classic operations?",
    "classic_vae_pool - classic": "What do latent variants and unlabelled pictures add to classic operations?",
    "classic_vae_taught - classic": "What do latents as a training target add to classic operations?",
    "classic_vae_pool - classic_pool": "What do latent variants add, where both arms use unlabelled pictures?",
}
CONDITIONS = """### Conditions

"10 per class" means 10 labelled pictures of each class. The table has the number of pictures of each kind, and the
number of training steps of every arm."""
ACCURACY = """### Accuracy

Each cell has the accuracy on the test pictures in %: the mean over seeds 0 to 4 ± its standard error. An empty cell
was not measured.{balanced}
The first table has the arms without a VAE."""
WITH = "The second table has the arms with a VAE."
DIFFERENCES = """### What the VAE adds

Each cell has a difference of two accuracies in percentage points: the mean over five seeds ± its standard error. The
difference is paired by seed. Seeds 10 to 14 (*fresh seeds*) repeat the measurement with other labelled pictures. An
empty cell was not measured."""
VERDICTS = """### Verdicts

The table has the verdict of each comparison. Square brackets hold the confidence interval of the difference. The last
row has latent noise that is far too strong, on purpose."""
NOISE = """### How strong the latent noise may be

The table has the accuracy of `classic_vae` on MNIST, 10 per class, for seeds 0 to 4. The noise of the recipe is
multiplied by the factor in the first column."""
SAMPLES = """### New pictures from a learned prior

Made by `python benchmarks/augment_samples.py`. Here the VAE and its learned prior saw the labelled pictures alone, with
their labels. They were trained for 10 minutes by `recipes/dataset.toml` with `flip = true`. The latent step is
`latent_sample`: half of each batch of the arms with a VAE are new pictures of the class that is asked for. All seeds
have the same labelled pictures."""
SPEED = """### Speed

Made by `python benchmarks/augment_speed.py` on one machine ({processor}). The classic chain has rotation, scale,
shift, colour and blur. The classic chain is {ratio:.1f} times as fast as {peer}, measured in turns in the same run."""


def numbers(found: Found, cases: Mapping[str, Any], speed: Found | None) -> list[str]:
    """All lines, from the results of every case by name; `cases` have the titles and the numbers of steps."""
    known = {name: found[name] for name in cases if name in found}
    rows = [*CONDITIONS.splitlines(), "", *_conditions(known, cases), ""]
    rows += [*ACCURACY.format(balanced=_balanced(known, cases)).splitlines(), "", *_arms(known, cases, WITHOUT_VAE)]
    rows += ["", WITH, "", *_arms(known, cases, WITH_VAE), "", *DIFFERENCES.splitlines()]
    for pair, question in QUESTIONS.items():
        rows += ["", f"{question} (`{pair}`)", "", *_pair(known, cases, pair)]
    rows += ["", *VERDICTS.splitlines(), "", *_verdicts(found, known, cases)]
    if sweep := known.get("digits10", {}).get("first", {}).get("sweep"):
        rows += ["", *NOISE.splitlines(), "", *_noise(sweep, known["digits10"]["first"]["arms"]["classic_vae"])]
    if samples := found.get("samples"):
        rows += ["", *SAMPLES.splitlines(), "", *_samples(samples, cases)]
    if speed is not None:
        rows += ["", *SPEED.format(**speed).splitlines(), "", *_speed(speed)]
    return rows


def _conditions(known: Found, cases: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, one in known.items():
        counts = one["first"]["counts"]
        numbers = [counts[kind] for kind in ("labelled", "unlabelled", "test")]
        rows.append([cases[name].title, *map(str, numbers), str(cases[name].steps)])
    return table(["data set", "labelled", "unlabelled", "test", "training steps"], rows)


def _balanced(known: Found, cases: Mapping[str, Any]) -> str:
    """A sentence on the sets whose accuracy is the average over classes."""
    names = [cases[name].title.partition(",")[0] for name, one in known.items() if one["first"]["balanced"]]
    return f" The accuracy of {' and '.join(names)} is balanced: the mean of the classes' recalls." if names else ""


def _arms(known: Found, cases: Mapping[str, Any], arms: Iterable[str]) -> list[str]:
    arms = tuple(arms)
    rows = [
        [cases[name].title, *(points(one["first"]["arms"].get(arm)) for arm in arms)] for name, one in known.items()
    ]
    return table(["data set", *(f"`{arm}`" for arm in arms)], rows)


def _pair(known: Found, cases: Mapping[str, Any], pair: str) -> list[str]:
    rows = [
        [cases[name].title, *(points(one[seeds]["differences"].get(pair), "+") for seeds in ("first", "fresh"))]
        for name, one in known.items()
    ]
    return table(["data set", "seeds 0 to 4", "seeds 10 to 14"], rows)


def _verdicts(found: Found, known: Found, cases: Mapping[str, Any]) -> list[str]:
    rows = [[cases[name].title, one["first"]["verdict"], one["fresh"]["verdict"]] for name, one in known.items()]
    if "wild" in found:
        rows.append(["MNIST, 10 per class, noise far too strong", found["wild"]["verdict"], ""])
    return table(["data set", "seeds 0 to 4", "seeds 10 to 14"], rows)


def _noise(sweep: Found, own: Found) -> list[str]:
    by_noise = sorted([*((float(noise), one) for noise, one in sweep.items()), (1.0, own)], key=lambda row: row[0])
    rows = [[f"{noise:g}", points(one)] for noise, one in by_noise]
    return table(["times the noise", "accuracy in %, mean ± standard error"], rows)


def _samples(samples: Found, cases: Mapping[str, Any]) -> list[str]:
    arms = ("none", "classic", "vae", "classic_vae")
    rows = [
        [cases[name].title, *(points(one["arms"].get(arm)) for arm in arms), one["verdict"]]
        for name, one in samples.items()
    ]
    return table(["data set", *(f"`{arm}`" for arm in arms), "verdict"], rows)


def _speed(speed: Found) -> list[str]:
    rows = [[f"classic chain, {speed['side_px']} px", "1", f"{speed['ours_per_s']:.0f}"]]
    rows += [[operation, "2", f"{rate:.0f}"] for operation, rate in speed["latent_per_s"].items()]
    return table(["work", "threads", "pictures per second"], rows)


def table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    """In Markdown."""
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def points(one: Mapping[str, float] | None, sign: str = "") -> str:
    """Percent or percentage points ± standard error; empty for what was not measured."""
    return "" if one is None else f"{100 * one['mean']:{sign}.1f} ± {100 * one['standard_error']:.1f}"
