"""One terminal for progress and result lines: a bar on standard error that no line is glued to."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from types import FrameType
from typing import TYPE_CHECKING

import typer

from safelight.errors import on_one_line
from safelight.work import OnProgress, Progress

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def prepare_terminal() -> None:
    """Print what the terminal's alphabet lacks as escapes, and end by SIGTERM or SIGHUP as by Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if threading.current_thread() is not threading.main_thread():  # where no signal arrives
        return
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:  # nohup has it ignored
            signal.signal(number, _as_ctrl_c)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in the background of a shell's script
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


@contextmanager
def progress_bar() -> Iterator[OnProgress]:
    """Within the block: a callback that moves a bar, where standard error is a terminal.

    Ctrl-C ends the program with a word on how to go on; a second one ends it as a kill does.
    """
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    console = Console(stderr=True)

    def whole() -> Column:
        return Column(no_wrap=True, min_width=len("0:00:00"))

    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        BarColumn(bar_width=20),
        TaskProgressColumn(table_column=Column(no_wrap=True, min_width=len("100%"))),
        TextColumn("since"),
        TimeElapsedColumn(table_column=whole()),
        TextColumn("left"),
        TimeRemainingColumn(table_column=whole()),
    )
    shown = Bar(
        *columns, console=console, expand=True, disable=not console.is_terminal, redirect_stdout=sys.stdout.isatty()
    )  # lines for another program must not pass through the bar's terminal
    above = console if console.is_terminal and sys.stdout.isatty() else None
    with _second_ctrl_c_leaves(console.is_terminal), shown as bar, _lines_above(above):
        row = bar.add_task("", total=None)
        last = Progress(0, 0, "")

        def on_progress(now: Progress) -> None:
            nonlocal row, last
            if now.done < last.done or (now.total == 0) != (last.total == 0):  # another phase, of another speed
                bar.remove_task(row)
                row = bar.add_task(now.what, total=None)
            bar.update(row, description=now.what, completed=now.done, total=now.total or None)
            last = now

        try:
            yield on_progress
        except KeyboardInterrupt:
            say("interrupted; what is finished is kept, run the same command again to go on", err=True)
            raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _second_ctrl_c_leaves(is_terminal: bool) -> Iterator[None]:
    """Who asks twice does not want to wait for files that are being saved: the next run makes these again."""

    def first(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, second)
        if is_terminal:
            os.write(2, b"\r\x1b[2Kstopping; Ctrl-C again leaves at once\n")
        raise KeyboardInterrupt

    def second(number: int, frame: FrameType | None) -> None:
        os.write(2, b"\r\x1b[2K\x1b[?25h" if is_terminal else b"")  # the bar goes, the cursor comes back
        os.write(2, b"interrupted twice; run the same command again to go on\n")
        os._exit(INTERRUPTED)

    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_above: list["Console"] = []
"""The console of the bar that is shown now, if both streams are the terminal."""


@contextmanager
def _lines_above(console: "Console | None") -> Iterator[None]:
    _above.extend([] if console is None else [console])
    try:
        yield
    finally:
        _above.clear()


def say(line: str, err: bool = False) -> None:
    """One line above the bar, never broken by it: long names can be copied.

    `typer.echo` would write into the bar, since it does not use the bar's streams.
    """
    if _above:
        _above[-1].print(on_one_line(line), soft_wrap=True, markup=False, highlight=False, emoji=False)
        return
    stream = sys.stderr if err else sys.stdout
    stream.write(f"{on_one_line(line)}\n")
    stream.flush()
