"""The one table of tasks. A new task is a row here, and a folder of its name in bundle/, runtime/ and learn/."""

from safelight.bundle import codec, images, restore
from safelight.bundle.card import BundleTask

TASKS: dict[str, BundleTask] = {
    "restore": restore.TASK,
    "images": images.TASK,
    "codec": codec.TASK,
}
