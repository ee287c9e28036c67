"""Luma of gamma-encoded RGB."""

import numpy as np

BT601 = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in luma (ITU-R BT.601)."""
