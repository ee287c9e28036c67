"""How good a model is, on pictures that it was not trained on: numbers, and a page that shows them."""

from safelight.evaluation.held_out import HeldOut, PartChoice, open_held_out
from safelight.evaluation.images import Evaluation, MeasureSettings, evaluate_images

__all__ = ["Evaluation", "HeldOut", "MeasureSettings", "PartChoice", "evaluate_images", "open_held_out"]
