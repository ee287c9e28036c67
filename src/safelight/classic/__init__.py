"""The classic operations: pure functions of a picture and numbers, and one catalog (needs the extra `augment`)."""

from safelight.classic.catalog import CLASSIC, Kind, Operation, Parameter

__all__ = ["CLASSIC", "Kind", "Operation", "Parameter"]
