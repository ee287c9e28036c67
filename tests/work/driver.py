"""A driver with two processes, which tell who they are and then have nothing to do: for a test to kill."""

import os
import sys
import time

from safelight.work import Processes


def who(number: int) -> int:
    time.sleep(0.5)  # so that each process gets one
    return os.getpid()


if __name__ == "__main__":
    for process in Processes(2).map(who, range(8)):
        sys.stdout.write(f"{process}\n")
        sys.stdout.flush()
