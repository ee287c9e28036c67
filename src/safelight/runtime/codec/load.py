"""From a bundle to a codec that works."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.bundle import Bundle, find_bundle
from safelight.bundle.arrays import load_integers
from safelight.bundle.codec import INTEGERS, PROGRAMS, CodecCard
from safelight.coding.entropy import Coder
from safelight.coding.program import Program
from safelight.coding.tables import Tables
from safelight.errors import BundleError
from safelight.runtime.codec.core import Core
from safelight.runtime.codec.latents import LatentCoder
from safelight.runtime.codec.networks import Engine, ExactGraphs
from safelight.runtime.graphs import Graphs


class Parts(NamedTuple):
    """What lies in a bundle beside the graphs."""

    programs: dict[str, Program]
    arrays: dict[str, NDArray[np.integer]]
    sha256: bytes
    """Of both files, one after the other: what decides how a .latent file decodes."""


def load_core(model: str | Path, threads: int | None) -> Core:
    """A codec that works by its graphs. Raises RefusedError if it cannot be used."""
    bundle = find_bundle(model, CodecCard)
    parts = read_codec(bundle)
    first = bundle.card.programs[0]
    graphs = Graphs(bundle.folder, "cpu", threads, probe=f"{first}.onnx")
    return build_core(ExactGraphs(graphs, parts.programs), parts, bundle)


def read_codec(bundle: Bundle[CodecCard]) -> Parts:
    """Programs and arrays of a bundle. Raises BundleError."""
    contents = bundle.path(PROGRAMS).read_bytes()
    digest = hashlib.sha256(contents + bundle.path(INTEGERS).read_bytes()).digest()
    try:
        named = dict(json.loads(contents))
    except (ValueError, TypeError) as error:
        raise BundleError(f"{bundle.path(PROGRAMS)}: cannot be read ({error}); export the bundle again") from None
    programs = {name: Program.from_json(value) for name, value in named.items()}
    if {*programs} != {*bundle.card.programs}:
        raise BundleError(f"{bundle.folder}: its card and its programs do not fit; export the bundle again")
    return Parts(programs, load_integers(bundle.path(INTEGERS)), digest)


def build_core(engine: Engine, parts: Parts, bundle: Bundle[CodecCard]) -> Core:
    """A codec on an engine. Raises BundleError for tables that are not whole."""
    card = bundle.card
    try:
        frequencies, lengths = (parts.arrays[f"tables.{name}"] for name in ("frequencies", "lengths"))
    except KeyError as error:
        raise BundleError(f"{bundle.folder}: has no {error}; export the bundle again") from None
    tables = Tables(frequencies.astype(np.uint32), lengths.astype(np.int64))
    if not tables.are_whole:
        raise BundleError(f"{bundle.folder}: its probability tables are damaged; export the bundle again")
    groups = [(group.channels, group.parities) for group in card.groups]
    coder = LatentCoder(engine, parts.arrays, groups, Coder(tables))
    return Core(engine, coder, (card.analysis_halo, card.synthesis_halo), parts.sha256)
