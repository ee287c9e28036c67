"""Restoration ladders: photographs degraded on purpose, and a model that undoes it."""
