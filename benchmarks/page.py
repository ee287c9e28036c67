"""What `benchmarks/restore.py` measured, as pages: docs/benchmarks.md and the numbers of the README."""

from pathlib import Path

ROOT = Path(__file__).parent.parent  # on its own: a test loads this file alone
TABLE, README = ROOT / "docs" / "benchmarks.md", ROOT / "README.md"
MARKS = "<!-- numbers: made by benchmarks/restore.py -->", "<!-- end of numbers -->"
Results = dict[str, dict[str, float]]
HEAD = """# Benchmarks

Made by `python benchmarks/restore.py`; do not edit by hand. What the names mean stands at the end.

"""
MEANINGS = """## What the names mean

- `..._db`: PSNR over RGB of the clipped result, mean over pictures. `told` was told σ; `int8` is the 8-bit graph.
- `mse_of_one_sample_to_that_of_mean`: 2 for a perfect posterior; `mse_of_mean_of_8...`: 1.125. The 3 dB law.
- `mse_predicted_to_that_of_mean`: predicted variance over squared error, 1 when calibrated.
- `inside_50`, `inside_90`: share of true values in their interval.
- `crps_..._255`: continuous ranked probability score in 1/255, lower is better (Gneiting & Raftery, 2007).
- `rmse_over_std_slope`: RMSE found over std predicted, by least squares over ten bins, 1 when calibrated. The diagram:
  [reliability](images/reliability.png).
- `ause`: area under the sparsification error curve (Ilg et al., 2018); for comparisons on the same pictures.
- `lpips_...`: AlexNet LPIPS, lower is nearer to the truth. `gradient_energy_...`: that of the truth is 1.
- `outside`: share of pictures that are said to be outside what the model was trained on; `median_anomaly`: 1 is the
  limit.
- `..._call`: the whole command on a 12-megapixel JPEG; `..._network`: the graph alone; `..._to_ffdnet`: median of the
  ratios to FFDNet's network, measured in turns.
"""


def write_pages(results: Results) -> None:
    """Both pages; the README once everything that it tells was measured."""
    TABLE.write_text(HEAD + tables(results) + MEANINGS, encoding="utf-8")
    if not {"Speed", "Memory", "CBSD68, clean"} <= results.keys():
        return
    head, _, rest = README.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    README.write_text(f"{head}{MARKS[0]}\n\n{readme_block(results)}\n\n{MARKS[1]}{tail}", encoding="utf-8")


def tables(results: Results) -> str:
    """One table for what was measured on pictures, one for anomalies, and lists for the rest."""
    told = results["measuring"]
    lines = [f"Model: {told['model']}. Machine: {told['cpu']}, {told['threads']} threads.", ""]
    graded = {title: numbers for title, numbers in results.items() if "ours_db" in numbers}
    lines += [*grid("Restoration", graded), ""]
    strange = {t.removeprefix("Outside? "): numbers for t, numbers in results.items() if t.startswith("Outside?")}
    lines += [*grid("Is it said to be outside?", strange), ""]
    shown = {*graded, *(f"Outside? {title}" for title in strange), "measuring"}
    for title, numbers in results.items():
        if title not in shown:
            lines += [f"## {title}", "", "| measure | value |", "|---|---|"]
            lines += [f"| {name} | {number:g} |" for name, number in numbers.items()] + [""]
    return "\n".join(lines) + "\n"


def grid(title: str, rows: Results) -> list[str]:
    """Measures downwards, pictures across."""
    names = list(dict.fromkeys(name for numbers in rows.values() for name in numbers))
    lines = [f"## {title}", "", f"| | {' | '.join(rows)} |", "|---" * (1 + len(rows)) + "|"]
    return lines + [
        f"| {name} | "
        + " | ".join(f"{numbers[name]:.4g}" if name in numbers else "" for numbers in rows.values())
        + " |"
        for name in names
    ]


def readme_block(results: Results) -> str:
    """The numbers of the README."""
    rows = [
        "| CBSD68, PSNR in dB | noisy | Safelight, blind | in 8 bits | FFDNet, told σ |",
        "|---|---|---|---|---|",
    ]
    noise = {sigma: results[f"CBSD68, noise {sigma}"] for sigma in (15, 25, 50)}
    for sigma, got in noise.items():
        names = ("input_db", "ours_db", "ours_int8_db", "ffdnet_color_db")
        cells = (f"{got[name]:.2f}" if name in got else "" for name in names)
        rows.append(f"| noise σ = {sigma} | " + " | ".join(cells) + " |")
    jpeg = [results[f"LIVE1, JPEG {quality}"] for quality in (10, 20, 30)]
    gains = " / ".join(f"{got['ours_db'] - got['input_db']:+.2f}" for got in jpeg)
    real, speed = results["CC15, real noise"], results["Speed"]
    ours = (f"{speed[f'ours_{precision}_call_s_per_mpx']:.2f}" for precision in ("int8", "fp32"))
    graded = [got for got in results.values() if "inside_90" in got]
    ratios = [got["mse_of_one_sample_to_that_of_mean"] for got in graded]
    averages = [got["mse_of_mean_of_8_to_that_of_mean"] for got in graded]
    held = [got["inside_90"] for got in graded]
    facts = [
        f"JPEG at quality 10 / 20 / 30 (LIVE1): {gains} dB; in float, as all that follows but the speed in 8 bits.",
        f"Real camera noise (CC15): {real['input_db']:.2f} → {real['ours_db']:.2f} dB.",
        (
            f"A clean photograph changes by {results['Kodak24, clean']['changed_rms_255']:.2f}/255 RMS (Kodak24), "
            f"{results['CBSD68, clean']['changed_rms_255']:.2f} (CBSD68)."
        ),
        (
            f"The whole command on a 12-megapixel JPEG, {speed['threads']} threads: {next(ours)} s per megapixel "
            f"in 8 bits (the default for a mean where the processor has instructions for them), {next(ours)} in float; "
            f"FFDNet's network alone takes {speed['ffdnet_network_s_per_mpx']:.2f}."
        ),
        f"A 48-megapixel picture: {results['Memory']['peak_gb_48_mpx']:.2f} GB of memory at most.",
        (
            f"Over these and Kodak24, a sample's squared error is {min(ratios):.2f} to {max(ratios):.2f} times the "
            f"mean's (a perfect posterior: 2), the average of 8 {min(averages):.2f} to {max(averages):.2f} times "
            f"(1.125), and {min(held):.0%} to {max(held):.0%} of the true values lie in their 90 % interval."
        ),
    ]
    return "\n".join([*rows, "", *(f"- {fact}" for fact in facts)])
