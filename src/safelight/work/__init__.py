"""What all jobs do alike: hash files, write them whole, remember what is done, tell progress, spread work."""

from safelight.work.cluster import Ray
from safelight.work.engine import Engine, Processes, Threads
from safelight.work.files import clear_leftovers, read_small, replacing, unpacked_bytes, user_cache, write_whole
from safelight.work.hashes import file_sha256, json_sha256
from safelight.work.manifest import MANIFEST, Line, Manifest, header
from safelight.work.memory import memory_bytes
from safelight.work.mirror import mirrored
from safelight.work.progress import Cancelled, OnProgress, Progress, silent

__all__ = [
    "MANIFEST",
    "Cancelled",
    "Engine",
    "Line",
    "Manifest",
    "OnProgress",
    "Processes",
    "Progress",
    "Ray",
    "Threads",
    "clear_leftovers",
    "file_sha256",
    "header",
    "json_sha256",
    "memory_bytes",
    "mirrored",
    "read_small",
    "replacing",
    "silent",
    "unpacked_bytes",
    "user_cache",
    "write_whole",
]
