"""What the studio is asked to do: where it listens, what it shows, and its limits."""

from safelight.settings import OptionalPath, Positive, Settings, argument, option

LISTENING, LIMITS = "Where it listens", "Limits"


class StudioSettings(Settings):
    """One server for one person."""

    folder: OptionalPath = argument("A folder whose pictures, models and runs are offered.", "FOLDER", default=None)
    host: str = option("127.0.0.1", "Another address than this machine's own needs a token.", group=LISTENING)
    port: int = option(7860, "0: any that is free.", group=LISTENING, ge=0, le=65535)
    open: bool = option(False, "Open a browser.", "--open", group=LISTENING)
    token: str | None = option(
        None,
        "A secret that a browser must know, of 16 letters or more. Made and printed where one is needed.",
        group=LISTENING,
        min_length=16,
        max_length=200,
    )
    state: OptionalPath = option(
        None, "Where dropped pictures and results are kept. Default: ~/.cache/safelight/studio."
    )
    max_upload_mb: Positive = option(400, "Refuse larger files.", group=LIMITS)
    max_megapixels: float = option(100.0, "Refuse larger pictures.", group=LIMITS, gt=0)
    max_disk_gb: float = option(20.0, "What is kept may take so much room.", group=LIMITS, gt=0)
    max_jobs: Positive = option(16, "Jobs that may wait.", group=LIMITS)
    keep_days: float = option(
        7.0, "Dropped pictures that are older are removed when the studio starts.", group=LIMITS, gt=0
    )
