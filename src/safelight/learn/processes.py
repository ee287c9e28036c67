"""Training in several processes of this machine. Each computes its part of every batch; together they do what one does.

    this process    starts the others, passes on their words, and asks them to stop
    process 0       trains, measures, writes the run folder, tells how it goes
    process k       trains

The processes share gradients by Gloo (Li et al., "PyTorch distributed", VLDB 2020). A lost process ends the run, which
goes on from its last checkpoint.
"""

import logging
import multiprocessing
import os
import queue
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from safelight.errors import SafelightError, TrainingError
from safelight.learn.device import device_of_each
from safelight.learn.interrupts import interruptible
from safelight.learn.settings import TrainReport, TrainSettings
from safelight.runtime.machine import cores
from safelight.work import Cancelled, OnProgress, Progress
from safelight.work.engine import end_with_driver

SAID_S = 0.5
"""How often process 0 says how far it is."""
LAST_WORDS_S = 10.0
"""How long an error of another process is waited for when one has ended."""
Say = Callable[[Any], bool]
"""Gets `Progress`, a line for people, a `TrainReport`, or an error to raise. Returns whether to stop."""
Train = Callable[[TrainSettings, OnProgress], TrainReport]


class Words:
    """What process 0 says, heard in the process that a person started."""

    def __init__(self, on_progress: OnProgress) -> None:
        self.on_progress = on_progress
        self.report: TrainReport | None = None
        self.error: SafelightError | None = None

    def hear(self, word: Any) -> bool:
        """One of them. Returns whether to stop: when `on_progress` cancels."""
        if isinstance(word, TrainReport):
            self.report = word
        elif isinstance(word, SafelightError):
            self.error = self.error or word
        elif isinstance(word, str):
            logging.getLogger("safelight").info(word)
        else:
            try:
                self.on_progress(word)
            except Cancelled:
                return True
        return False

    def end(self) -> TrainReport:
        """Raises what process 0 raised, and TrainingError if it said nothing at its end."""
        if self.error is not None:
            raise self.error
        if self.report is None:
            raise TrainingError(
                "a process of the run has died, perhaps for want of memory; go on with --resume (and in a script of "
                "Python, call train below: if __name__ == '__main__')"
            )
        return self.report


def take_part(train: Train, settings: TrainSettings, say: Say) -> None:
    """What each of the processes does; RANK says which one it is. An error is said, not raised."""
    is_first = os.environ["RANK"] == "0"
    if is_first:
        lines = logging.getLogger("safelight")
        lines.setLevel(logging.INFO)
        lines.addHandler(_Said(say))
    try:
        report = train(settings, _seldom(say) if is_first else lambda now: None)
    except SafelightError as error:
        say(error)
    except (Cancelled, KeyboardInterrupt):
        say(TrainingError("the run was stopped; begin again, or go on with --resume"))
    else:
        if is_first:
            say(report)


class _Said(logging.Handler):
    """Says the lines that a run tells."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self.say = say

    def emit(self, record: logging.LogRecord) -> None:
        self.say(record.getMessage())


def _seldom(say: Say) -> OnProgress:
    """Progress now and then, and every change of what is done."""
    said, what = -SAID_S, ""

    def on_progress(now: Progress) -> None:
        nonlocal said, what
        kind = now.what.split("  ", 1)[0]
        if kind != what or time.monotonic() - said > SAID_S:
            said, what = time.monotonic(), kind
            if say(now):
                raise Cancelled

    return on_progress


def train_in_processes(train: Train, settings: TrainSettings, on_progress: OnProgress) -> TrainReport:
    """`settings.processes` of them. Ctrl-C, and a callback that raises `Cancelled`, write a checkpoint first.

    Raises what training in one process raises, and TrainingError if one dies.
    """
    context, size = multiprocessing.get_context("spawn"), settings.processes
    said: Any = context.Queue()
    alike = settings.model_copy(update={"device": device_of_each(settings.device, size)})
    arguments = (size, _free_port(), train, alike, said)
    members: list[BaseProcess] = [context.Process(target=_member, args=(rank, *arguments)) for rank in range(size)]
    words, is_asked = Words(on_progress), False

    def ask_to_stop() -> None:
        nonlocal is_asked
        if not is_asked and members[0].pid is not None:  # a second signal would end it without a checkpoint
            is_asked = True
            os.kill(members[0].pid, signal.SIGINT)

    try:
        with interruptible(ask_to_stop):
            for member in members:
                member.start()
            while not _is_over(members, words):
                with suppress(queue.Empty):
                    if words.hear(said.get(timeout=SAID_S)):
                        ask_to_stop()
        while not said.empty():
            words.hear(said.get())
    finally:
        for member in members:
            if member.pid is not None:
                member.kill()
                member.join()
    return words.end()


def _is_over(members: list[BaseProcess], words: Words) -> bool:
    """When process 0 has ended, or soon after another one has failed."""
    if not members[0].is_alive():
        return True
    if words.error is not None or any(member.exitcode for member in members):
        members[0].join(LAST_WORDS_S)
        return True
    return False


def _member(rank: int, size: int, port: int, train: Train, settings: TrainSettings, said: Any) -> None:
    """Ctrl-C in a terminal does not reach it: the process that was started passes it on to process 0."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), signal.SIG_IGN if rank else signal.default_int_handler)
    end_with_driver()
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size)}
    threads = max(1, cores() // size)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": str(threads)}
    torch.set_num_threads(threads)

    def say(word: Any) -> bool:
        said.put(word)
        return False

    take_part(train, settings, say)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port
