"""The command line: one short file per verb; each parses, calls one function, prints."""

from safelight.cli.app import main

__all__ = ["main"]
