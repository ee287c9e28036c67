"""What workers of a test cluster do: in a module of its own, so that they can import it."""

import os
import time
from pathlib import Path

from safelight.errors import UnfitNodeError

PREPARED: list[str] = []


def prepare(word: str) -> None:
    if word == "refuse":
        raise ValueError("this worker cannot begin")
    if word == "die":
        os._exit(1)
    PREPARED.append(word)


def prepare_first_without_room(folder: str) -> None:
    """The worker that begins first has a full disk; others begin later."""
    try:
        (Path(folder) / "first").touch(exist_ok=False)
        PREPARED.append("full")
    except FileExistsError:
        time.sleep(2)
        PREPARED.append("empty")


def with_room(number: int) -> int:
    if PREPARED[0] == "full":
        raise UnfitNodeError("no room on this disk")
    return number


def double(number: int) -> tuple[int, str]:
    if number == 13:
        os._exit(1)  # a file that ends its process
    if number == 7:
        time.sleep(0.3)
    return 2 * number, PREPARED[0]


def note(task: tuple[str, int]) -> int:
    """One line for each call, in a file that all workers share."""
    folder, number = task
    with (Path(folder) / "calls").open("a") as file:
        file.write(f"{number}\n")
    time.sleep(0.15)
    return number


def unfit(number: int) -> int:
    if number % 2:
        raise UnfitNodeError("no room on this disk")
    return number


def fail(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number
