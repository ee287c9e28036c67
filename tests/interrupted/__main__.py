"""All verbs, killed at random moments."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.interrupted.kills import VERBS, faults


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.interrupted", description=__doc__)
    parser.add_argument("--moments", type=int, default=60, help="of all verbs together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=VERBS, default=list(VERBS))
    asked = parser.parse_args()
    wrong = 0
    for verb in asked.only:
        each = -(-asked.moments // len(asked.only))
        with tempfile.TemporaryDirectory() as home:
            found = list(faults(verb, each, Path(home), asked.seed))
        wrong += len(found)
        sys.stdout.write(f"{verb}: {len(found)} of {each} moments wrong\n")
        for fault in found:
            sys.stdout.write(f"  after {fault.moment_s} s: {fault.what}\n")
        sys.stdout.flush()
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
