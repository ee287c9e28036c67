"""Run cases in a process of their own, which is ended when a case hangs or takes too much memory."""

import multiprocessing
import os
import resource
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from safelight.cli.console import INTERRUPTED
from tests.hostile.cases import make
from tests.support import run_cli

DEADLINE_S = 30
MOST_BYTES = 2_000_000_000
WRONG_USE, REFUSED = 2, 3


class Fault(NamedTuple):
    """What was wrong with a case."""

    kind: str
    number: int
    what: str
    told: str


def faults(cases: Iterable[tuple[str, int]], seed: int = 0) -> Iterator[Fault]:
    """Of those cases, by kind and number."""
    worker = _Worker()
    try:
        for kind, number in cases:
            worker.connection.send((kind, number, seed))
            if not worker.connection.poll(DEADLINE_S):
                yield Fault(kind, number, f"takes more than {DEADLINE_S} s", "")
                worker.end()
                worker = _Worker()
                continue
            try:
                what, told, too_much = worker.connection.recv()
            except EOFError:
                what, told, too_much = "the process died", "", True
            if what:
                yield Fault(kind, number, what, told)
            if too_much:
                worker.end()
                worker = _Worker()
    finally:
        worker.end()


class _Worker:
    """A process that waits for cases."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def _work(connection: Connection) -> None:
    os.environ["SAFELIGHT_DEBUG"] = ""
    while True:
        kind, number, seed = connection.recv()
        folder = Path(tempfile.mkdtemp(prefix="hostile-"))
        try:
            what, told = _judged(kind, number, seed, folder)
        except BaseException as error:
            what, told = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", ""
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        peak = _peak_bytes()
        too_much = peak > MOST_BYTES
        connection.send((what or (f"takes {peak / 1e9:.1f} GB" if too_much else ""), told, too_much))


def _peak_bytes() -> int:
    """The most memory that this process had; `ru_maxrss` would begin with what its parent had."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def _judged(kind: str, number: int, seed: int, folder: Path) -> tuple[str, str]:
    """What is wrong, and what was told; nothing is wrong with a refusal of one line."""
    inner = folder / "inner"
    inner.mkdir()
    case = make(kind, number, seed, inner)
    done = run_cli(*case.arguments, cwd=inner)
    told = f"{' '.join(case.arguments)} -> {done.returncode}: {done.stderr[-600:]}"
    is_stopped = done.returncode == INTERRUPTED and "stopped; go on with: " in done.stderr  # a recipe that is sound
    if "Traceback" in done.stderr + done.stdout or not (done.returncode in range(4) or is_stopped):
        return "no clear end", told
    refusals = [line for line in done.stderr.splitlines() if line.startswith("safelight: ")]
    if done.returncode in (WRONG_USE, REFUSED) and len(refusals) != 1:
        return f"{len(refusals)} lines of refusal", told
    if "please report" in done.stderr or "unforeseen" in done.stderr:
        return "an unforeseen error", told
    if len(done.stderr) > 20_000:
        return "too many words", told
    if [*folder.iterdir()] != [inner]:
        return "writes beside its folder", told
    return "", ""
