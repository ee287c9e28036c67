"""How good a model is, on pictures that it was not trained on: numbers, and a page that shows them."""

from safelight.evaluate.held_out import HeldOut, open_held_out
from safelight.evaluate.images import Evaluation, evaluate_images
from safelight.evaluate.page import write_page

__all__ = ["Evaluation", "HeldOut", "evaluate_images", "open_held_out", "write_page"]
