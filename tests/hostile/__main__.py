"""All cases, or a share of each kind."""

import argparse
import sys
from collections import Counter

from tests.hostile.cases import COUNTS
from tests.hostile.run import faults


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--only", nargs="+", choices=COUNTS, default=list(COUNTS))
    asked = parser.parse_args()
    numbers = {kind: round(COUNTS[kind] * asked.share) for kind in asked.only}
    found: Counter[str] = Counter()
    for fault in faults(((kind, k) for kind, count in numbers.items() for k in range(count)), asked.seed):
        found[fault.kind] += 1
        sys.stdout.write(f"{fault.kind} {fault.number}: {fault.what}\n  {fault.told}\n")
        sys.stdout.flush()
    counts = (f"{kind}: {found[kind]} of {count} wrong" for kind, count in numbers.items())
    sys.stdout.write(f"{', '.join(counts)}\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
