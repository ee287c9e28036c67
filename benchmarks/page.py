"""What `benchmarks/restore.py` measured, as pages: docs/benchmarks.md and the numbers of the README."""

from pathlib import Path

ROOT = Path(__file__).parent.parent  # on its own: a test loads this file alone
TABLE, README = ROOT / "docs" / "benchmarks.md", ROOT / "README.md"
MARKS = "<!-- numbers: made by benchmarks/restore.py -->", "<!-- end of numbers -->"
Results = dict[str, dict[str, float]]
Columns = dict[str, str]
"""Name in the results → words in the table."""
HEAD = """# Benchmarks

Made by `python benchmarks/restore.py`; do not edit by hand.

Model: {model}. Machine: {cpu}, {threads} threads.

The restorer finds the noise level itself. "Noise 15" is Gaussian noise with σ = 15/255, not clipped. "JPEG 10" is
quality 10. CC15 has real camera noise. The truth of CC15 is the mean of many exposures. Every number is over all
pictures of a set. The computations are in float32, where a table does not say int8.

"""
SECTIONS: tuple[tuple[str, Columns], ...] = (
    (
        """## Error of the restored picture

The table has the PSNR in dB, over RGB, of the clipped result. Higher is better. "σ given" means that the noise level is
an input. FFDNet is a published denoiser.""",
        {
            "input_db": "degraded",
            "ours_db": "restored, float32",
            "ours_int8_db": "restored, int8",
            "ours_told_db": "restored, σ given",
            "ffdnet_color_db": "FFDNet, σ given",
        },
    ),
    (
        """## Perceptual distance and detail

LPIPS (AlexNet) measures how different two pictures look. Lower is nearer to the truth. The gradient energy measures how
much detail a picture has. The truth has 1. A mean is usually smoother than the truth. A sample should have about 1.""",
        {
            "lpips_of_mean": "LPIPS, mean",
            "lpips_of_sample": "LPIPS, sample",
            "gradient_energy_of_mean": "gradient energy, mean",
            "gradient_energy_of_sample": "gradient energy, sample",
        },
    ),
    (
        """## Intervals and standard deviations

The first two columns have the share of true pixel values inside the 50 % interval and the 90 % interval. The third
column has the predicted squared error, divided by the measured squared error. The fourth column has the slope of the
measured error over the predicted standard deviation, fitted by least squares over ten bins
([diagram](images/reliability.png)). A perfectly calibrated model has 0.5, 0.9, 1 and 1.""",
        {
            "inside_50": "inside 50 %",
            "inside_90": "inside 90 %",
            "mse_predicted_to_that_of_mean": "predicted / measured squared error",
            "rmse_over_std_slope": "slope of error over std",
        },
    ),
    (
        """## Scores of the distribution

CRPS is the continuous ranked probability score in 1/255 (Gneiting & Raftery, 2007). AUSE is the area under the
sparsification error curve (Ilg et al., 2018). Lower is better. Compare AUSE on the same pictures only.""",
        {
            "crps_of_mean_and_std_255": "CRPS, mean and std",
            "crps_of_samples_255": "CRPS, 8 samples",
            "ause": "AUSE",
        },
    ),
    (
        """## Samples

The table has the squared error of samples, divided by the squared error of the mean. Samples of a perfect posterior
have 2 for one sample, and 1.125 for the average of 8 samples.""",
        {
            "mse_of_one_sample_to_that_of_mean": "one sample",
            "mse_of_mean_of_8_to_that_of_mean": "average of 8 samples",
        },
    ),
)
CLEAN = """## Clean pictures

A clean picture should not change. The table has the root mean square of the change in 1/255."""
CHANGED = {"changed_rms_255": "float32", "changed_int8_rms_255": "int8"}
STRANGE = """## Out-of-distribution pictures

The restorer compares each picture with training patches. The result is the OOD score. A picture with a score above 1 is
reported as out-of-distribution. {graded}

The table has other kinds of pictures, rounded to 8 bits. The last six rows are photographs that should not be
reported."""
SCORES = {"pictures": "pictures", "outside": "share reported", "median_anomaly": "median OOD score"}
KINDS = {
    "Kodak24, salt and pepper": "Kodak24, salt-and-pepper noise",
    "Kodak24, banding": "Kodak24, bands in rows",
    "Kodak24, blotches": "Kodak24, smooth noise (blotches)",
    "Kodak24, speckle": "Kodak24, speckle noise",
    "Kodak24, hum": "Kodak24, interference stripes",
    "Kodak24, halftone": "Kodak24, printed dots (halftone)",
    "Kodak24, enlarged": "Kodak24, enlarged pixels",
    "Kodak24, combing": "Kodak24, interlaced video (combing)",
}
SPEED = """## Speed

The table has the time for one megapixel with {threads} threads. "Command" is the whole of `safelight enhance` on a
12-megapixel JPEG, without samples and uncertainty. "Network" is the graph of the mean alone, on a picture of 1024 x
1024 px. The last column has the time, divided by the time of FFDNet's network. The two times are measured in turns.
Each number is a median."""
WORK = {
    "ours_fp32_call": "command, float32",
    "ours_fp32_network": "network, float32",
    "ours_int8_call": "command, int8",
    "ours_int8_network": "network, int8",
    "ffdnet_network": "FFDNet's network, float32",
}


def write_pages(results: Results) -> None:
    """Both pages; the README once everything that it tells was measured."""
    TABLE.write_text(benchmarks(results), encoding="utf-8")
    if not {"Speed", "Memory", "CBSD68, clean"} <= results.keys():
        return
    head, _, rest = README.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    README.write_text(f"{head}{MARKS[0]}\n\n{readme_block(results)}\n\n{MARKS[1]}{tail}", encoding="utf-8")


def benchmarks(results: Results) -> str:
    """docs/benchmarks.md."""
    graded = {title: numbers for title, numbers in results.items() if "ours_db" in numbers}
    clean = {title.removesuffix(", clean"): one for title, one in results.items() if "changed_rms_255" in one}
    strange = {title.removeprefix("Outside? "): one for title, one in results.items() if title.startswith("Outside?")}
    lines = HEAD.format(**results["measuring"]).splitlines()
    for words, columns in SECTIONS:
        lines += [*words.splitlines(), "", *table("pictures", columns, graded), ""]
    lines += [*CLEAN.splitlines(), "", *table("pictures", CHANGED, clean, "g"), ""]
    lines += [*STRANGE.format(graded=_reported(graded)).splitlines(), ""]
    lines += [*table("kind", SCORES, {_kind(title): one for title, one in strange.items()}), ""]
    lines += _resources(results)
    return "\n".join(lines) + "\n"


def _reported(graded: Results) -> str:
    """A sentence on the pictures of the other tables."""
    some = {title: one["outside"] for title, one in graded.items() if one["outside"]}
    if not some:
        return "No picture of the tables above is reported."
    shares = ", ".join(f"{title}: {share:.4g}" for title, share in some.items())
    return f"Shares reported in the tables above: {shares}."


def _kind(title: str) -> str:
    folder, comma, rest = title.partition(",")
    names = {"kodak24": "Kodak24", "cbsd68": "CBSD68", "live1": "LIVE1"}
    return KINDS.get(title, names.get(folder, folder) + comma + rest)


def _resources(results: Results) -> list[str]:
    """Speed, memory and start-up, as far as they were measured."""
    lines: list[str] = []
    if speeds := results.get("Speed"):
        lines += SPEED.format(threads=next(iter(speeds.values()))["threads"]).splitlines()
        columns = {"s": "seconds per megapixel", "ratio": "divided by FFDNet's network"}
        for kind, speed in speeds.items():
            rows = {
                words: {"s": speed[f"{work}_s_per_mpx"], "ratio": speed.get(f"{work}_to_ffdnet", 1.0)}
                for work, words in WORK.items()
            }
            lines += ["", f"{speed['processor']}, a processor {kind}:", "", *table("work", columns, rows, "g"), ""]
    if {"Memory", "Start-up"} <= results.keys():
        peak, start = results["Memory"]["peak_gb_48_mpx"], results["Start-up"]["help_s"]
        lines += ["## Memory and start", ""]
        lines += [f"`safelight enhance` takes at most {peak:g} GB of memory for a 48-megapixel JPEG."]
        lines += [f"`safelight --help` takes {start:g} seconds, on {results['Start-up']['processor']}."]
    return lines


def table(head: str, columns: Columns, rows: Results, form: str = ".4g") -> list[str]:
    """Sets of pictures downwards, measures across; empty for what was not measured."""
    lines = [f"| {head} | {' | '.join(columns.values())} |", "|---" * (1 + len(columns)) + "|"]
    for title, numbers in rows.items():
        cells = (f"{numbers[name]:{form}}" if name in numbers else "" for name in columns)
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def readme_block(results: Results) -> str:
    """The numbers of the README."""
    return "\n\n".join([quality_table(results), speed_table(results), posterior_table(results)])


def quality_table(results: Results) -> str:
    """PSNR of degraded and of restored pictures, and what becomes of a clean picture."""
    rows = [
        "| degradation, test set | degraded | Safelight, float32 | Safelight, int8 | FFDNet |",
        "|---|---|---|---|---|",
    ]
    names = {f"CBSD68, noise {sigma}": f"noise, σ = {sigma}/255, CBSD68" for sigma in (15, 25, 50)}
    names |= {f"LIVE1, JPEG {quality}": f"JPEG, quality {quality}, LIVE1" for quality in (10, 20, 30)}
    names |= {"CC15, real noise": "real camera noise, CC15"}
    keys = ("input_db", "ours_db", "ours_int8_db", "ffdnet_color_db")
    for title, name in names.items():
        cells = (f"{results[title][key]:.2f}" if key in results[title] else "" for key in keys)
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    gaps = [one["ours_db"] - one["ffdnet_color_db"] for one in results.values() if "ffdnet_color_db" in one]
    kodak, cbsd = (results[f"{name}, clean"]["changed_rms_255"] for name in ("Kodak24", "CBSD68"))
    facts = [
        "The numbers are PSNR in dB, averaged over the pictures of the set. Higher is better.",
        "CBSD68, LIVE1 and CC15 are public test sets. An empty cell was not measured.",
        "Safelight finds the noise level itself. FFDNet, a published denoiser, is given the noise level.",
        f"Safelight in float32 minus FFDNet is {min(gaps):+.2f} to {max(gaps):+.2f} dB, before rounding.",
        "A clean photograph should not change.",
        f"The root mean square of the change is {kodak:.2f}/255 on Kodak24 and {cbsd:.2f}/255 on CBSD68.",
    ]
    return "\n".join([*rows, "", *facts])


def speed_table(results: Results) -> str:
    """Time and memory of the whole command."""
    speeds, memory = results["Speed"], results["Memory"]["peak_gb_48_mpx"]
    threads = next(iter(speeds.values()))["threads"]
    kinds = "".join(f" {speed['processor']}, {kind} |" for kind, speed in speeds.items())
    rows = [f"| seconds per megapixel of a 12-megapixel JPEG, {threads} threads |{kinds}"]
    rows.append("|---|" + "---|" * len(speeds))
    for name, key in (
        ("`safelight enhance`, int8", "ours_int8_call"),
        ("`safelight enhance`, float32", "ours_fp32_call"),
        ("FFDNet, network alone", "ffdnet_network"),
    ):
        rows.append(f"| {name} |" + "".join(f" {speed[f'{key}_s_per_mpx']:.2f} |" for speed in speeds.values()))
    facts = [
        "The time of `safelight enhance` includes start, reading and writing.",
        "On Linux the default for a mean alone is int8, if the processor has instructions for 8-bit dot products.",
        "Elsewhere the default is float32.",
        "The default for samples and uncertainty is float32.",
        f"The mean of a 48-megapixel JPEG needs at most {memory:.2f} GB of memory.",
    ]
    return "\n".join([*rows, "", *facts])


def posterior_table(results: Results) -> str:
    """Whether samples and intervals are what they should be."""
    graded = {title: one for title, one in results.items() if "inside_90" in one}
    sample, eight, inside = (
        [one[key] for one in graded.values()]
        for key in ("mse_of_one_sample_to_that_of_mean", "mse_of_mean_of_8_to_that_of_mean", "inside_90")
    )
    low, high = (f"{100 * share:.0f} %" for share in (min(inside), max(inside)))
    worst = min(graded, key=lambda title: graded[title]["inside_90"])
    rows = [
        f"| check of the uncertainty, {len(graded)} test sets | ideal | lowest | highest |",
        "|---|---|---|---|",
        f"| squared error of one sample / squared error of the mean | 2 | {min(sample):.2f} | {max(sample):.2f} |",
        f"| squared error of the average of 8 samples / the same | 1.125 | {min(eight):.2f} | {max(eight):.2f} |",
        f"| true pixel values inside the 90 % interval | 90 % | {low} | {high} |",
    ]
    facts = [
        "A share below 90 % in the last row means that the intervals are too narrow.",
        f'The lowest share is that of the set "{worst}".',
    ]
    return "\n".join([*rows, "", *facts])
