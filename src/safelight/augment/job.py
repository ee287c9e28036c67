"""A whole set, augmented into a folder: manifest.jsonl says what was made of what, and what need not be made again.

Its first line is what everything depends on; each further one is a file: an original, or a variant with the record
that makes it again. Lines come chunk by chunk; at the end they are sorted, whatever the workers' order.
"""

import hashlib
import json
import multiprocessing
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from safelight.augment.chain import Sample
from safelight.augment.draw import Record
from safelight.augment.latent import LATENT
from safelight.augment.make import Maker, Variant, Want
from safelight.augment.manifest import MANIFEST, append_line, read_manifest
from safelight.augment.sets import Original
from safelight.augment.sets.base import Line, shapes_as_json, write_whole
from safelight.augment.sets.classes import ClassSet
from safelight.augment.settings import AugmentSettings
from safelight.errors import OutputError, UsageError, shown
from safelight.picture import PART_PREFIX, Picture, write, xmp

AT_ONCE = 64
"""Variants that a worker makes together."""


class Report(NamedTuple):
    """What a run made."""

    originals: int
    variants: int
    before: int
    """Variants that were there from an earlier run."""
    refused: dict[str, tuple[int, int]]
    """Class → draws that the guard refused, and all draws."""
    left_out: int
    """Variants of which every draw was refused."""
    failed: list[str]
    """Why pictures could not be read."""
    different: list[str]
    """Replayed variants whose pixels are not those of the manifest."""


def augment_set(
    settings: AugmentSettings,
    workers: int = 1,
    replay: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> Report:
    """Write `settings.output`. Raises UsageError and OutputError; what is finished stays, and is not made again."""
    maker = Maker(settings, guarded=replay is None)
    told = None if replay is None else read_manifest(replay)[1]
    wants = plan(maker) if told is None else _of_manifest(maker, told)
    originals = maker.pictures.originals() if settings.originals else ()
    _check_outputs(maker, originals, wants)
    header = settings.header(maker.set_sha256(), None if maker.vae is None else maker.vae.bundle.sha256)
    path = settings.output / MANIFEST
    lines = _begin(path, header)
    known = {line["output"]: line for line in lines if "output" in line}
    for original in originals:
        if not _is_done(settings.output, known.get(original.output)):
            lines.append(append_line(path, _copied(maker, original, settings.output)))
    done_before = {
        (line["number"], line["copy"])
        for line in lines
        if line["copy"] and "failed" not in line and ("output" not in line or _is_done(settings.output, line))
    }
    left = [want for want in wants if want not in done_before]
    count = len(wants) - len(left)
    on_progress(count, len(wants))
    chunks = [left[k : k + AT_ONCE] for k in range(0, len(left), AT_ONCE)]
    for made in _made(settings, maker, chunks, workers, told):
        for line in made:
            lines.append(append_line(path, line))
        count += len(made)
        on_progress(count, len(wants))
    return _finished(maker, path, header, lines, len(wants) - len(left))


def plan(maker: Maker) -> list[Want]:
    """Which copies of which pictures: equally many of each, or with `balance` as many as make classes equally large."""
    settings, count = maker.settings, len(maker.pictures.names)
    if not settings.balance:
        return [(number, copy) for number in range(count) for copy in range(1, settings.copies + 1)]
    if not maker.pictures.labelled:
        raise UsageError(f"{settings.dataset}: --balance is for sets with one label for each picture")
    by_class: dict[str | None, list[int]] = {}
    for number in range(count):
        by_class.setdefault(maker.pictures.label(number), []).append(number)
    target = max(map(len, by_class.values())) * (1 + settings.copies)
    wants = []
    for members in by_class.values():
        missing = target - (len(members) if settings.originals else 0)
        wants += [(members[k % len(members)], 1 + k // len(members)) for k in range(missing)]
    return sorted(wants)


def _of_manifest(maker: Maker, told: Sequence[Line]) -> list[Want]:
    """The variants that a manifest tells of. Raises UsageError for a manifest of another set."""
    number = {name: k for k, name in enumerate(maker.pictures.names)}
    strange = [line["source"] for line in _variants(told) if line["source"] not in number]
    if strange:
        raise UsageError(f"{maker.settings.dataset}: has no '{strange[0]}', which the manifest names; give its own set")
    return [(number[line["source"]], line["copy"]) for line in _variants(told)]


def _variants(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if "record" in line]


def _begin(path: Path, header: dict[str, Any]) -> list[Line]:
    """Lines of an earlier run with the same header. Raises OutputError for a folder that holds something else."""
    folder = path.parent
    if path.exists():
        before, lines = read_manifest(path)
        if before != header:
            changed = next((key for key in header if before.get(key) != header[key]), "version")
            raise OutputError(f"{folder}: holds another augmentation (its {changed} differs); choose another -o")
        for left_over in folder.rglob(f"{PART_PREFIX}*.part"):
            left_over.unlink()
        return lines
    try:
        if folder.exists() and any(folder.iterdir()):
            raise OutputError(f"{folder}: is there and not empty; choose another -o")
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(header) + "\n")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another -o") from None
    return []


def _is_done(folder: Path, line: Line | None) -> bool:
    if line is None:
        return False
    file: Path = folder / line["output"]
    return file.is_file() and file.stat().st_size == int(line["bytes"])


def _check_outputs(maker: Maker, originals: Sequence[Original], wants: Sequence[Want]) -> None:
    """Raises UsageError for results with one name, or outside the folder, and for a folder that is the set's own."""
    settings = maker.settings
    folder, source = settings.output.resolve(), settings.dataset.resolve()
    if folder == source or (source.is_dir() and source in folder.parents):
        raise UsageError(f"{settings.output}: is inside the set; choose another -o")
    names = [o.output for o in originals] + [maker.pictures.output(*want, settings.suffix) for want in wants]
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise UsageError(f"{shown(name)}: leads out of the set's folder; move the picture into it")
    twice = [name for name, count in Counter([*names, MANIFEST]).items() if count > 1]
    if twice:
        raise UsageError(f"two results would be {shown(twice[0])}; rename or remove one of those that lead to it")


def _copied(maker: Maker, original: Original, folder: Path) -> Line:
    """One file as it is."""
    target = folder / original.output
    part = target.with_name(f"{PART_PREFIX}{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if original.source is not None:
            shutil.copyfile(original.source, part)
            part.replace(target)
        else:
            assert isinstance(maker.pictures, ClassSet)
            write(Picture(maker.pictures.array(original).image), target)
        size = target.stat().st_size
    except OSError as error:
        part.unlink(missing_ok=True)
        what = f"{original.source} to {target}" if original.source else str(target)
        raise OutputError(f"{shown(what)}: cannot be written ({error.strerror}); check both and the disk") from None
    line: Line = {"output": original.output, "bytes": size, "number": original.number, "copy": 0}
    line |= {} if original.label is None else {"label": original.label}
    return line | ({"source": maker.pictures.names[original.number]} if original.number >= 0 else {})


def _made(
    settings: AugmentSettings, maker: Maker, chunks: Sequence[list[Want]], workers: int, told: list[Line] | None
) -> Iterator[list[Line]]:
    """Chunk by chunk, in any number of processes."""
    told_of = dict(zip(_of_manifest(maker, told), _variants(told), strict=True)) if told is not None else {}
    given = [[told_of.get(want) for want in chunk] for chunk in chunks]
    if workers == 1 or len(chunks) < 2:
        for chunk, lines in zip(chunks, given, strict=True):
            yield _chunk(maker, chunk, lines)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _open_worker, (settings, maker.guarded)) as pool:
        try:
            yield from pool.map(_chunk_of_worker, chunks, given)
        except BrokenProcessPool:
            raise OutputError("a worker died, perhaps for want of memory; go on with fewer --workers") from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


_worker: list[Maker] = []


def _open_worker(settings: AugmentSettings, guarded: bool) -> None:
    _worker.append(Maker(settings, guarded))


def _chunk_of_worker(chunk: list[Want], told: list[Line | None]) -> list[Line]:
    return _chunk(_worker[0], chunk, told)


def _chunk(maker: Maker, chunk: list[Want], told: list[Line | None]) -> list[Line]:
    """Make and write some variants; those of which a manifest tells by its records."""
    if told and told[0] is not None:
        variants = maker.replay(chunk, [Record.from_dict(line["record"]) for line in told if line is not None])
    else:
        variants = maker.make(chunk)
    return [_written(maker, variant, line) for variant, line in zip(variants, told, strict=True)]


def _written(maker: Maker, variant: Variant, told: Line | None) -> Line:
    pictures, settings = maker.pictures, maker.settings
    line: Line = {
        "source": pictures.names[variant.number],
        "number": variant.number,
        "copy": variant.copy,
        "label": pictures.label(variant.number),
    }
    line |= {"refused": list(variant.refusals)} if variant.refusals else {}
    line |= {"failed": variant.failure} if variant.failure else {}
    if variant.sample is None or variant.record is None:
        return line
    sample, output = variant.sample, pictures.output(variant.number, variant.copy, settings.suffix)
    target = settings.output / output
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{target.parent}: cannot be made ({error.strerror}); check the folder and the disk"
        ) from None
    pictures.beside(settings.output, variant.number, output, sample)
    made_by = {"Augmentation": " ".join(step.op for step in variant.record.steps) or "none"}
    by_model = any(step.op in LATENT for step in variant.record.steps)
    kind = xmp.GENERATED if by_model else xmp.ENHANCED
    write(Picture(sample.image, metadata=variant.metadata), target, provenance=made_by, source=kind)
    line |= {"output": output, "bytes": target.stat().st_size, "pixels_sha256": pixels_sha256(sample)}
    line |= {"soft_label": sample.soft_label} if sample.soft_label else {}
    line["shapes"] = shapes_as_json(sample.shapes)
    line |= {"different": True} if told is not None and told["pixels_sha256"] != line["pixels_sha256"] else {}
    return line | {"record": variant.record.as_dict()}


def pixels_sha256(sample: Sample) -> str:
    """Of the picture, and of its mask if it has one."""
    parts = [sample.image, *([] if sample.mask is None else [sample.mask])]
    words = b"".join(
        repr((part.shape, part.dtype.str)).encode() + np.ascontiguousarray(part).tobytes() for part in parts
    )
    return hashlib.sha256(words).hexdigest()


def _finished(maker: Maker, path: Path, header: dict[str, Any], lines: list[Line], before: int) -> Report:
    """Sort the manifest, write what describes the whole set, and count."""
    latest = {(line["number"], line["copy"], line.get("output") if not line["copy"] else None): line for line in lines}
    ordered = [latest[key] for key in sorted(latest, key=lambda key: (key[0] < 0, abs(key[0]), key[1], key[2] or ""))]
    write_whole(path, "".join(json.dumps(line) + "\n" for line in (header, *ordered)))
    pictures = [line for line in ordered if "output" in line and ("source" in line or "label" in line)]
    maker.pictures.finish(path.parent, pictures)
    tries: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for line in ordered:
        if line["copy"] and maker.guard is not None:
            tries[str(line["label"])] += len(line.get("refused", ())) + ("output" in line)
            refused[str(line["label"])] += len(line.get("refused", ()))
    return Report(
        originals=sum(not line["copy"] for line in ordered),
        variants=sum(bool(line["copy"]) and "output" in line for line in ordered),
        before=before,
        refused={label: (refused[label], tries[label]) for label in sorted(tries)},
        left_out=sum("output" not in line and "failed" not in line for line in ordered),
        failed=list(dict.fromkeys(line["failed"] for line in ordered if "failed" in line)),
        different=[line["output"] for line in ordered if line.get("different")],
    )
