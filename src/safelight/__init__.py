"""Safelight: variational autoencoders that restore photographs, and say how sure they are."""

__version__ = "0.1.0"
