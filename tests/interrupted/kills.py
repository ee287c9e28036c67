"""A command is killed, then run again; every file is compared with those of an undisturbed run."""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.augmentation.augment_support import CLASSIC, LATENT
from tests.blobs import RECIPE, write_blobs
from tests.support import BUNDLES, ROOT

CLOCKED = frozenset({"seconds", "time", "training_minutes", "files", "sha256"})
"""Keys whose values differ from run to run, or follow from such."""
UNSAID = ("SHA256SUMS", "run.json", "features.onnx")
"""Files that hold hashes of files with times, or times; and a classifier whose training may end by the clock."""
MORE_STEPS = 3


@dataclass(frozen=True)
class Verb:
    """What is run in a folder of its own, and where its results are."""

    arguments: tuple[str, ...]
    out: tuple[str, ...]
    prepare: Callable[[Path], None]
    resumes: bool = False
    """Whether the command is run again with --resume, where it asks for it."""


class Fault(NamedTuple):
    """What was wrong after a kill."""

    verb: str
    moment_s: float
    what: str


def _pictures(home: Path) -> None:
    (home / "in").mkdir()
    for number in range(6):
        shutil.copy(ROOT / "examples" / "samples" / "roman_colosseum.webp", home / "in" / f"{number}.webp")


def _set(home: Path) -> None:
    write_blobs(home / "in", 48, classes=3)
    (home / "a.toml").write_text(LATENT)


def _classic_set(home: Path) -> None:
    write_blobs(home / "in", 48, classes=3)
    (home / "a.toml").write_text(CLASSIC)


def _recipe(home: Path) -> None:
    write_blobs(home / "in", 120)
    (home / "a.toml").write_text(RECIPE.replace("steps = 40", f"steps = {MORE_STEPS * 40}"))


_SMALL = ("--seeds", "2", "--steps", "40", "--json")
VERBS = {
    "enhance": Verb(
        ("enhance", "in", "-o", "out", "--model", str(BUNDLES / "restore"), "--samples", "1", "--uncertainty"),
        ("out",),
        _pictures,
    ),
    "compress": Verb(("compress", "in", "-o", "out", "--model", str(BUNDLES / "codec")), ("out",), _pictures),
    "augment": Verb(
        ("augment", "in", "-o", "out", "--recipe", "a.toml", "--model", str(BUNDLES / "images"), "--copies", "2"),
        ("out",),
        _set,
    ),
    "train": Verb(("train", "a.toml", "--data", "in", "--run", "run"), ("run/bundle",), _recipe, resumes=True),
    "verdict": Verb(
        ("verdict", "in", "--recipe", "a.toml", *_SMALL),
        (),
        _classic_set,
    ),
}


def faults(verb: str, moments: int, home: Path, seed: int = 0) -> Iterator[Fault]:
    """Kill the command at so many moments of its time."""
    asked, draw = VERBS[verb], random.Random(f"{verb} {seed}")
    undisturbed = _fresh(home / f"{verb}-whole", asked)
    began = time.monotonic()
    whole = _run(asked, undisturbed)
    assert whole.returncode == 0, whole.stderr
    length_s = time.monotonic() - began
    expected, files = _results(undisturbed, asked), _files(undisturbed)
    for number in range(moments):
        folder = _fresh(home / f"{verb}-{number}", asked)
        moment_s = draw.uniform(0.1, 1.0) * length_s
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(_command(asked), cwd=folder, start_new_session=True, **quiet)
        time.sleep(moment_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        again = _run(asked, folder)
        if asked.resumes and again.returncode == 2 and "--resume" in again.stderr:
            again = _run(asked, folder, "--resume")
        what = _difference(asked, folder, expected, files) or (
            f"exit code {again.returncode}: {again.stderr[-300:]}" if again.returncode else None
        )
        if (
            what is None
            and not asked.out
            and _without_times(json.loads(again.stdout)) != _without_times(json.loads(whole.stdout))
        ):
            what = "says something else"
        if what is None and (left := _processes_of(process.pid)):
            what = f"its processes go on: {left}"
        if what is not None:
            yield Fault(verb, round(moment_s, 2), what)
        shutil.rmtree(folder)


def _fresh(folder: Path, asked: Verb) -> Path:
    folder.mkdir(parents=True)
    asked.prepare(folder)
    return folder


def _command(asked: Verb, *more: str) -> list[str]:
    return [sys.executable, "-m", "safelight", *asked.arguments, *more]


def _run(asked: Verb, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(asked, *more), cwd=folder, capture_output=True, text=True, check=False)


def _processes_of(session: int) -> list[int]:
    """Those of a session that have not ended, where the system tells."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, of = path.read_text().rpartition(") ")[2].split()[:4]
            found += [int(path.parent.name)] if int(of) == session and state != "Z" else []
    return found


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _results(folder: Path, asked: Verb) -> dict[str, Any]:
    """What each file says, without times."""
    paths = (path for name in asked.out for path in sorted((folder / name).rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): _said(path) for path in paths if path.name not in UNSAID}


def _said(path: Path) -> Any:
    if path.suffix == ".json":
        return _without_times(json.loads(path.read_text()))
    if path.name == "manifest.jsonl":  # in the order in which results came, with beginnings that a kill left
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return {line["key"]: _without_times(line) for line in lines if "key" in line}
    return path.read_bytes()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_times(one) for key, one in value.items() if key not in CLOCKED}
    return [_without_times(one) for one in value] if isinstance(value, list) else value


def _difference(asked: Verb, folder: Path, expected: dict[str, Any], files: set[str]) -> str | None:
    found = _results(folder, asked)
    if different := [name for name in expected if found.get(name) != expected[name]]:
        return f"{different[0]} differs, and {len(different) - 1} more"
    left = _files(folder) - files
    return f"left over: {', '.join(sorted(left)[:3])}" if left else None
