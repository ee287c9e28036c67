"""What a photo is, and how it is read and written with nothing lost."""

from safelight.picture.picture import OVERSHOOT, Metadata, Picture, convert
from safelight.picture.read import format_of, keeps_numbers, lies, read, read_pages, upright_size
from safelight.picture.write import EXTENSIONS, NOT_READ, READABLE, SUFFIXES, container_of, filtered_metadata, write

__all__ = [
    "EXTENSIONS",
    "NOT_READ",
    "OVERSHOOT",
    "READABLE",
    "SUFFIXES",
    "Metadata",
    "Picture",
    "container_of",
    "convert",
    "filtered_metadata",
    "format_of",
    "keeps_numbers",
    "lies",
    "read",
    "read_pages",
    "upright_size",
    "write",
]
