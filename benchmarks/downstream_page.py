"""What `benchmarks/downstream.py` measured, as docs/downstream.md."""

from typing import Any, NamedTuple

TITLES = {
    "true_labels": "Five kinds of flowers, by a linear head on the classifier's features",
    "agreement": "The ImageNet class of the clean picture, by the unchanged classifier",
    "daisies": "The ImageNet class daisy, by the unchanged classifier",
}
RIGHT = {
    "true_labels": "A prediction is right if the head finds the kind of flower.",
    "agreement": "A prediction is right if it equals the prediction on the clean picture.",
    "daisies": "The pictures are the daisies. A prediction is right if it is ImageNet's class 985, daisy.",
}


class Sizes(NamedTuple):
    """What the page says of the measurement, beside the results."""

    side_px: int
    input_px: int
    resamples: int


def table(rows: dict[str, dict[str, float]]) -> list[str]:
    """One measurement in Markdown, shares in percent and differences in points."""
    lines = ["| degradation | degraded | restored | difference [95 %] | gained / lost | restoring |", "|---" * 6 + "|"]
    for name, row in rows.items():
        shares = " | ".join(f"{100 * row[arm]:.1f}" for arm in ("degraded", "enhanced"))
        difference = f"{100 * row['difference']:+.1f} [{100 * row['low_95']:+.1f}, {100 * row['high_95']:+.1f}]"
        verdict = "helps" if row["low_95"] > 0 else "harms" if row["high_95"] < 0 else "no measurable difference"
        lines.append(f"| {name} | {shares} | {difference} | {row['gained']} / {row['lost']} | {verdict} |")
    return lines


def page(results: dict[str, dict[str, Any]], sizes: Sizes) -> str:
    """The whole page from the JSON."""
    machine, protocol = results["machine"], results["protocol"]
    lines = f"""# Does restoring help a vision model?

A classifier sees clean, degraded and restored pictures. This page says how often the classifier is right on each.

Made by `python benchmarks/downstream.py`; do not edit by hand.

- **Pictures**: {protocol["held_out_pictures"]} pictures of five kinds of flowers, {sizes.side_px} px. A hash of
  each file keeps 2/5 of the set from training. The pictures are drawn from this part. The pictures hold little detail:
  {protocol["variance_beyond_16_cycles"]:.1%} of their variance lies beyond 16 cycles per side.
  16 cycles per side is the finest detail of a picture of 32 px. Sharp photographs may behave differently.
- **Classifier**: EfficientNet-Lite0, trained on ImageNet (Apache-2.0). Pictures are enlarged to {sizes.input_px} px
  (bicubic).
- **Head**: a logistic regression on the classifier's features of {protocol["training_pictures"]} other clean pictures.
  Nothing is tuned.
- **Degraded**: the degraded picture in 8 bits. σ is the standard deviation of the noise in 1/255.
- **Restored**: the degraded picture after `safelight enhance`, in 8 bits. The noise level is not given.
  The row "nothing" restores the clean picture. The row shows what restoring costs where it is not needed.
- **Difference**: restored minus degraded in percentage points, paired by picture. The 95 % interval comes from
  {sizes.resamples} bootstrap resamples of the pictures. The interval is not corrected for the number of rows.
- **Gained / lost**: two numbers of pictures (McNemar's counts). A gained picture is wrong before restoring and right
  after. A lost picture is right before restoring and wrong after.
- **Model**: {protocol["model"]}. **Machine**: {machine["cpu"]}, threads: {machine["threads"]}, {machine["seconds"]} s.
""".splitlines()
    for title, heading in TITLES.items():
        first = next(iter(results[title].values()))
        clean = f"Of {first['pictures']} clean pictures, {100 * first['clean']:.1f} % are right."
        told = [RIGHT[title], clean, "The table has the share of right predictions in %."]
        lines += ["", f"## {heading}", "", " ".join(told), "", *table(results[title])]
    return "\n".join(lines) + "\n"
