"""The one list of the classic operations: what each takes, in which units and bounds, and what labels do.

Help, checks of recipes and documents are made from it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from safelight.classic import colour, detail, geometry

Kind = Literal["geometry", "colour", "pixels", "latent"]


@dataclass(frozen=True)
class Parameter:
    """A number that an operation takes."""

    least: float
    most: float
    usual: tuple[float, float]
    """What is drawn from where a recipe says nothing."""
    unit: str = ""
    fixed: float | None = None
    """What is taken where only the operation's first number is given."""


@dataclass(frozen=True)
class Operation:
    """One entry."""

    kind: Kind
    function: Callable[..., Any]
    """geometry: (size, **numbers) → matrix; colour: (**numbers) → matrix; pixels: (pixels, rng, **numbers) → pixels."""
    labels: str
    """What becomes of labels."""
    parameters: dict[str, Parameter] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


MOVES = "boxes, masks and keypoints move along"
KEEPS = "kept"
_SIGMA = {"sigma_255": Parameter(0, 255, (0, 10), "in units of 1/255")}
_RADIUS = {"radius_px": Parameter(0, 64, (0, 1), "px")}

CLASSIC: dict[str, Operation] = {
    "rotate": Operation(
        "geometry", geometry.rotate, MOVES, {"degrees": Parameter(-360, 360, (-10, 10), "degrees anticlockwise")}
    ),
    "scale": Operation("geometry", geometry.scale, MOVES, {"factor": Parameter(0.1, 10, (0.9, 1.1))}),
    "stretch": Operation("geometry", geometry.stretch, MOVES, {"factor": Parameter(0.1, 10, (0.9, 1.1))}),
    "shear": Operation("geometry", geometry.shear, MOVES, {"degrees": Parameter(-60, 60, (-8, 8), "degrees")}),
    "translate": Operation(
        "geometry",
        geometry.translate,
        MOVES,
        {
            "x_share": Parameter(-1, 1, (-0.08, 0.08), "of the width", fixed=0),
            "y_share": Parameter(-1, 1, (-0.08, 0.08), "of the height", fixed=0),
        },
    ),
    "crop": Operation(
        "geometry",
        geometry.crop,
        MOVES,
        {
            "share": Parameter(0.05, 1, (0.8, 1), "of each side"),
            "x": Parameter(0, 1, (0, 1), "from left to right", fixed=0.5),
            "y": Parameter(0, 1, (0, 1), "from top to bottom", fixed=0.5),
        },
    ),
    "flip_horizontal": Operation("geometry", geometry.flip_horizontal, MOVES),
    "flip_vertical": Operation("geometry", geometry.flip_vertical, MOVES),
    "contrast": Operation("colour", colour.contrast, KEEPS, {"factor": Parameter(0, 10, (0.8, 1.25))}),
    "brightness": Operation("colour", colour.brightness, KEEPS, {"shift": Parameter(-1, 1, (-0.1, 0.1), "of white")}),
    "saturation": Operation("colour", colour.saturation, KEEPS, {"factor": Parameter(0, 10, (0.7, 1.4))}),
    "hue": Operation("colour", colour.hue, KEEPS, {"degrees": Parameter(-180, 180, (-12, 12), "degrees")}),
    "white_balance": Operation(
        "colour",
        colour.white_balance,
        KEEPS,
        {"red": Parameter(0.1, 10, (0.9, 1.1)), "blue": Parameter(0.1, 10, (0.9, 1.1), fixed=1)},
    ),
    "temperature": Operation("colour", colour.temperature, KEEPS, {"stops": Parameter(-3, 3, (-0.3, 0.3), "stops")}),
    "gamma": Operation("pixels", detail.gamma, KEEPS, {"exponent": Parameter(0.1, 10, (0.8, 1.25))}),
    "equalise": Operation("pixels", detail.equalise, KEEPS, {"strength": Parameter(0, 1, (0, 1))}),
    "clahe": Operation(
        "pixels",
        detail.clahe,
        KEEPS,
        {"clip": Parameter(0.1, 100, (1, 3)), "tiles": Parameter(1, 64, (4, 4), "a side", fixed=8)},
    ),
    "blur": Operation("pixels", detail.blur, KEEPS, {"sigma_px": Parameter(0, 64, (0.2, 1), "px")}),
    "sharpen": Operation(
        "pixels",
        detail.sharpen,
        KEEPS,
        {"amount": Parameter(0, 10, (0, 1)), "sigma_px": Parameter(0.1, 64, (0.7, 1.5), "px", fixed=1)},
    ),
    "erode": Operation("pixels", detail.erode, KEEPS, _RADIUS),
    "dilate": Operation("pixels", detail.dilate, KEEPS, _RADIUS),
    "opening": Operation("pixels", detail.opening, KEEPS, _RADIUS),
    "closing": Operation("pixels", detail.closing, KEEPS, _RADIUS),
    "noise": Operation("pixels", detail.gaussian_noise, KEEPS, _SIGMA),
    "jpeg": Operation("pixels", detail.jpeg, KEEPS, {"quality": Parameter(1, 100, (40, 95))}),
}
