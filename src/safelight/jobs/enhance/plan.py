"""How the results of restoring are named, and what is refused before anything is computed."""

from pathlib import Path

from safelight.errors import PictureError, RefusedError, UsageError, installed_by
from safelight.jobs.batch.naming import Naming
from safelight.jobs.batch.plan import Plan, make_plan
from safelight.jobs.enhance.settings import EnhanceSettings
from safelight.picture import EXTENSIONS, NOT_READ, READABLE, SUFFIXES, format_of
from safelight.work.places import is_folder

NO_FOLDERS = READABLE | NOT_READ
"""An output that ends so is meant as a picture, not as a folder."""
_STAND_INS = {
    ".heic": "avif",
    ".heif": "avif",
    ".hif": "avif",
    ".gif": "png",
    ".jfif": "jpg",
    ".jpe": "jpg",
    ".mpo": "jpg",
}
"""Readable, but not written: what stands in."""


def plan_enhance(settings: EnhanceSettings) -> Plan:
    """All tasks. Raises UsageError, and RefusedError for operations without OpenCV."""
    _check_operations(settings.operations)
    _check_pattern(settings.pattern)
    _check_format(settings)

    def beside(target: Path) -> tuple[Path, ...]:
        samples = (target.with_stem(f"{target.stem}_sample{k + 1}") for k in range(settings.samples))
        std = [target.with_name(f"{target.stem}_std.{kind}") for kind in ("tif", "png")]
        return (*samples, *(std if settings.uncertainty else []))

    naming = Naming(
        verb="enhance",
        done="restored",
        what="pictures",
        reads=READABLE,
        writes=tuple(SUFFIXES),
        no_folders=NO_FOLDERS,
        file_name=lambda source: _file_name(source, settings),
        beside=beside,
    )
    return make_plan(settings, naming)


def _check_operations(texts: tuple[str, ...]) -> None:
    if not texts:
        return
    try:
        from safelight.augmentation.catalog import parse_operation  # OpenCV is an extra
    except ModuleNotFoundError:
        raise RefusedError(f"--op needs OpenCV; {installed_by('augment')}") from None
    for text in texts:
        parse_operation(text)


def _check_format(settings: EnhanceSettings) -> None:
    """Raises UsageError for a format that the name of the output contradicts."""
    output = settings.output
    if output is None or output.suffix.lower() not in SUFFIXES or is_folder(output):
        return
    if settings.format not in ("same", SUFFIXES[output.suffix.lower()]):
        raise UsageError(f"--format {settings.format} and -o {output} disagree; leave one of them out")


def _check_pattern(pattern: str) -> None:
    try:
        name = pattern.format(stem="a", model="b", ext="png")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UsageError(f"--pattern '{pattern}': {error}; use only {{stem}}, {{model}} and {{ext}}") from None
    if not name.endswith(".png") or Path(name).name != name:
        raise UsageError(f"--pattern '{pattern}': must be a file name that ends in .{{ext}}")


def _file_name(source: Path, settings: EnhanceSettings) -> str:
    suffix = source.suffix.lower()
    if settings.format != "same":
        extension = EXTENSIONS[settings.format]
    elif suffix in SUFFIXES:
        extension = source.suffix[1:]
    else:
        extension = _STAND_INS.get(suffix) or _extension_by_content(source)
    return settings.pattern.format(stem=source.stem, model=Path(settings.model).stem, ext=extension)


def _extension_by_content(source: Path) -> str:
    try:
        return EXTENSIONS.get(format_of(source), "png")
    except PictureError:
        return "png"  # it will fail when it is read, and say why
