"""How much memory this machine has, so that what cannot fit is refused before it is asked for."""

import os


def memory_bytes() -> int:
    """Of the whole machine, as far as the system tells; else a common size."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 8 << 30
