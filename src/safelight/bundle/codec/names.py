"""Names of programs, of their inputs and outputs, and of tables; and the units that both worlds must agree on."""

ANALYSIS, ANALYSIS_LINEAR, SYNTHESIS = "analysis", "analysis-linear", "synthesis"
HYPER_ANALYSIS, HYPER_SYNTHESIS = "hyper-analysis", "hyper-synthesis"

PIXELS, LATENTS, HYPER, CONTEXT, CONTEXT_AFTER = "pixels", "latents", "hyper", "context", "context_after"
DECODED, PREDICTION, LINEAR = "decoded", "prediction", "linear"

STEP, TABLE, DISTORTION = "latents.step", "latents.table", "latents.distortion"
HYPER_STEP, HYPER_MEAN, HYPER_TABLE = "hyper.step", "hyper.mean", "hyper.table"
CONTEXT_SCALE, MEAN_SCALE = "latents.to_context", "latents.from_mean"
LINEAR_LIMIT = "latents.linear_limit"
SYNTHESIS_SCALE, LINEAR_SCALE, HYPER_SCALE = "latents.to_synthesis", "latents.to_linear", "hyper.to_context"

CONTEXT_UNIT, CONTEXT_LIMIT = 1 / 64, 512
"""Latents as convolutions read them: over their channel's spread, in 1/64, within ±8."""
DEFAULT_QUALITY = 50
FIXED_POINT_BITS = 20
"""Factors between integers are over 2^20."""
PIXEL_UNIT = 1 / 65280
"""Pixels as the synthesis gives them, about 1/2: 256 units are one step of 8 bits."""


def bias(stage: int) -> str:
    """The input for a quality's bias, of a stage from 1 on."""
    return f"bias_{stage}"


def step(number: int) -> str:
    """The program of a pass, from 0 on."""
    return f"pass-{number}"
