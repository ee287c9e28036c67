"""Names that several test modules use."""

import importlib.util
import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from safelight.cli import main

ROOT = Path(__file__).parent.parent
BUNDLES = ROOT / "tests" / "bundles"
"""Small bundles, which tests/make_bundles.py makes."""
DATA = Path(os.environ.get("SAFELIGHT_DATA", ROOT.parent / "shared" / "data"))
CASES = DATA.parent / "cases"
"""Files and sets that broke other programs."""
CHROMIUM = shutil.which("chromium")
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not at hand: set SAFELIGHT_DATA")
needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not at hand")
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    b' xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    b' xmlns:exif="http://ns.adobe.com/exif/1.0/" tiff:Orientation="6" exif:GPSLatitude="10,20.5N"'
    b' dc:source="J\xc3\xb6rg"/></rdf:RDF></x:xmpmeta>'
)


def hear_ctrl_c() -> None:
    """For `preexec_fn`: a command in the background of a shell's script ignores Ctrl-C, and so do those it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def tags_by_exiftool(path: Path) -> dict[str, Any]:
    """All tags by their names, as numbers."""
    (found,) = json.loads(subprocess.run(["exiftool", "-j", "-n", str(path)], check=True, capture_output=True).stdout)
    return dict(found)


def run_cli(*arguments: object, cwd: Path | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """`safelight ...` in this process, which is fast; with options of `subprocess.run` in a process of its own."""
    if options:
        return run_process(*arguments, cwd=cwd, **options)
    words = ["safelight", *map(str, arguments)]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with ExitStack() as within:
        within.enter_context(mock.patch.object(sys, "argv", words))
        for redirected in (redirect_stdout(out), redirect_stderr(err), chdir(cwd or Path.cwd())):
            within.enter_context(redirected)
        code = _exit_code_of_main()
    return subprocess.CompletedProcess(words, code, *(stream.buffer.getvalue().decode() for stream in (out, err)))


def _exit_code_of_main() -> int:
    lines = logging.getLogger("safelight")
    before = list(lines.handlers)
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    finally:
        lines.handlers[:] = before
    return 0


def load_benchmark(name: str) -> Any:
    """A module of benchmarks/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_process(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """`safelight ...` as a person runs it."""
    command = [sys.executable, "-m", "safelight", *map(str, arguments)]
    return subprocess.run(command, **({"capture_output": True, "text": True, "timeout": 300} | options))


def made(folder: Path) -> dict[str, bytes]:
    """Files below an output folder, by name, without its manifest."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.jsonl"
    }
