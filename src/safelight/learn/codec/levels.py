"""What depends on the quality, for all 100: steps, positions among the tables, and scales between integers."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from safelight.bundle.codec import names
from safelight.coding.tables import SMALLEST, SUBSTEPS, log_step
from safelight.ladder.codec import CodecNet

QUALITIES = 100
STEP_UNITS = 64
"""The smallest quantisation step is so many fine units."""
MEAN_UNIT = 1 / 512


class Levels:
    """The levels of a network, at the qualities 1 to 100."""

    def __init__(self, model: CodecNet) -> None:
        self.model = model
        self.level = torch.linspace(0, model.levels - 1, QUALITIES)
        self.weights = model.level_weights(self.level)
        self.gains = self.by_quality(model.log_gains).exp()
        self.hyper_gains = self.by_quality(model.hyper_log_gains).exp()
        self.fine_unit = 1 / self.gains.amax(0) / STEP_UNITS  # (C,)
        self.hyper_fine_unit = 1 / self.hyper_gains.amax(0) / STEP_UNITS

    def by_quality(self, table: Tensor) -> Tensor:
        """(levels, C) → (100, C)"""
        return (self.weights @ table).double()

    def tables(self) -> dict[str, NDArray[np.integer]]:
        """By the names of `bundle.codec.names`."""
        model, unit, std = self.model, self.fine_unit, self.model.std.double()
        spread, base = (
            plane[:, :, 0, 0].double() for plane in (model.spread(self.weights), model.base_log_scale(self.weights))
        )
        return {
            names.STEP: _rounded(1 / self.gains / unit),
            names.TABLE: _table_number(base),
            names.HYPER_STEP: _rounded(1 / self.hyper_gains / self.hyper_fine_unit),
            names.HYPER_MEAN: _rounded(model.hyper_mean.double() / self.hyper_gains / self.hyper_fine_unit),
            names.HYPER_TABLE: _table_number(self.by_quality(model.hyper_log_scale)),
            names.CONTEXT_SCALE: fixed(unit / spread / names.CONTEXT_UNIT),
            names.MEAN_SCALE: fixed(MEAN_UNIT * std / unit),
            names.SYNTHESIS_SCALE: fixed(unit / spread.sqrt() / names.CONTEXT_UNIT),
            names.DISTORTION: self._distortion(),
        }

    def _distortion(self) -> NDArray[np.int64]:
        """(100, C): what an error of one fine unit costs, in 2^-32 bits: λ 255² / 3 unit²."""
        price = self.model.lambdas(self.level).double()[:, None] * 255**2 / 3 * self.fine_unit.square()
        return torch.round(price * 2**32).numpy().astype(np.int64)


def fixed(scale: Tensor) -> NDArray[np.int64]:
    """Factors as integers, over 2^20."""
    return torch.round(scale * 2**names.FIXED_POINT_BITS).numpy().astype(np.int64)


def _rounded(values: Tensor) -> NDArray[np.int32]:
    return torch.round(values).numpy().astype(np.int32)


def _table_number(log_scale: Tensor) -> NDArray[np.int32]:
    """Where a scale stands among the tables, in sixteenths."""
    return _rounded(SUBSTEPS * (log_scale - math.log(SMALLEST)) / log_step())
