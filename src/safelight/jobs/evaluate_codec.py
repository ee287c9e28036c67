"""Measure a codec on photographs, beside the usual formats."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.errors import PictureError, UsageError, shown
from safelight.evaluation.codec import RateDistortion, measure_codec
from safelight.evaluation.codec_page import codec_html
from safelight.picture import READABLE, read
from safelight.runtime.codec import Codec
from safelight.settings import AnyPath, Positive, VerbSettings, option
from safelight.work import OnProgress, Progress, mirrored, silent, write_whole


class CodecEvaluateSettings(VerbSettings):
    """Which codec, on which photographs."""

    may_be_stored = frozenset({"data"})

    codec: str | Path = option(..., "A codec: its name (see 'model list') or its path.")
    data: AnyPath = option(..., "A folder of photographs that the codec was not trained on.")
    most: Positive = option(100, "Photographs that are measured, the first ones by name.")
    threads: Positive | None = option(None, "Processor cores to use. Default: all.")


@dataclass(frozen=True)
class CodecEvaluateReport:
    """How good the codec is."""

    title: str
    pictures: int
    measured: RateDistortion
    left_out: tuple[str, ...]
    """A line for each file that was not measured."""

    @property
    def numbers(self) -> dict[str, float]:
        """BD-rate in percent against each format."""
        return self.measured.numbers

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        curves = {
            name: [{key: _finite(value) for key, value in point._asdict().items()} for point in curve]
            for name, curve in self.measured.curves.items()
        }
        numbers = {name: _finite(number) for name, number in self.numbers.items()}
        return {**numbers, "pictures": self.pictures, "curves": curves}

    def write_page(self, path: Path) -> None:
        """Curves and crops as one HTML file that needs no other. Raises OutputError."""
        write_whole(path, codec_html(self.title, self.measured))


def evaluate_codec(settings: CodecEvaluateSettings, on_progress: OnProgress = silent) -> CodecEvaluateReport:
    """Rate-distortion curves of a codec beside JPEG, WebP and AVIF, by the bytes of whole files.

    JPEG XL and JPEG 2000 are measured, too, if the package imagecodecs is installed.

    Raises RefusedError for a model that cannot be used, UsageError for a folder without photographs.
    """
    on_progress(Progress(0, 0, "reading photographs"))
    codec = Codec.load(settings.codec, settings.threads)
    pictures, left_out = _photographs(settings, mirrored(settings.data, on_progress))
    name = Path(settings.codec).name
    measured = measure_codec(codec, name, pictures, on_progress)
    return CodecEvaluateReport(f"{name} on {settings.data.name}", len(pictures), measured, tuple(left_out))


def _finite(number: float) -> float | None:
    """None for what JSON has no number for, as where two curves share no quality."""
    return number if math.isfinite(number) else None


def _photographs(settings: CodecEvaluateSettings, folder: Path) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """RGB of 8 bits, and a line for each file that is something else. Raises UsageError if nothing is left."""
    pictures: list[NDArray[np.uint8]] = []
    left_out: list[str] = []
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in READABLE)
    for path in files:
        if len(pictures) == settings.most:
            break
        try:
            picture = read(path)
        except PictureError as error:
            left_out.append(str(error))
            continue
        if picture.grey:
            left_out.append(f"{path}: is grey; curves are of colour pictures")
        else:
            pictures.append(picture.with_depth(8).pixels)
    if not pictures:
        raise UsageError(f"{shown(settings.data)}: holds no colour photographs; name a folder with some")
    return pictures, left_out
