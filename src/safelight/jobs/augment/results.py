"""The manifest of an augmentation: what is done, and in which order the lines stand.

    {"manifest": 1, "verb": "augment", "recipe": {...}, "set_sha256": "...", "copies": 4, ...}
    {"outputs": {"disc/1.png": 312}, "role": "training", "source": "disc/1.png", "label": "disc"}
    {"outputs": {"disc/1.v1.png": 540}, "source": "disc/1.png", "copy": 1, "label": "disc", ..., "record": {...}}

A variant without files was refused or failed. Lines come as files are written; at the end they are sorted, so that
the manifest does not depend on the number of workers. A header with a model also says where it is, for a replay.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safelight.augmentation.sets import Original
from safelight.bundle import available
from safelight.errors import OutputError, UsageError, shown
from safelight.jobs.augment.plan import Plan, VariantTask
from safelight.jobs.augment.prepare import Prepared
from safelight.jobs.augment.replay import Replay
from safelight.jobs.augment.request import SUFFIXES
from safelight.jobs.augment.write import Written, picture_of, written_picture
from safelight.work import MANIFEST, Line, Manifest, clear_leftovers, file_sha256, mirrored

VERB = "augment"


@dataclass(frozen=True)
class Results:
    """An output folder and its manifest."""

    prepared: Prepared
    plan: Plan
    folder: Path
    manifest: Manifest
    done: frozenset[str | tuple[str, int]]
    """What an earlier run finished: names of originals; names of pictures with the numbers of their copies."""

    @staticmethod
    def begin(prepared: Prepared, plan: Plan, folder: Path, replay: Replay | None = None) -> "Results":
        """A new folder, or one that an earlier run began.

        Raises UsageError for a replay of another set or model, and OutputError for a folder that holds something else.
        """
        facts = _facts(prepared)
        if replay is not None:
            _check_replay(replay, facts, prepared)
        manifest = Manifest(folder)
        if manifest.header is None:
            _check_empty(folder)
            manifest.begin(VERB, **facts, **_model(prepared, folder))
        else:
            _check_same(manifest.header, facts, folder)
            clear_leftovers(folder, recursive=True, run="any")
        return Results(prepared, plan, folder, manifest, done=frozenset(map(_subject, _finished(manifest))))

    def has_original(self, original: Original) -> bool:
        """Whether an earlier run copied it."""
        return original.output in self.done

    def has_variant(self, task: VariantTask) -> bool:
        """Whether an earlier run made it, or left it out because every draw was refused."""
        return (self.prepared.pictures.names[task.key.picture], task.key.copy) in self.done

    def add(self, written: Written) -> None:
        """Write its line. Raises OutputError."""
        self.manifest.append({"outputs": self.manifest.sizes_of_written(written.files), **written.facts})

    def finish(self) -> list[Line]:
        """Sort the manifest, and write what describes the whole set; returns the lines. Raises OutputError."""
        latest = {_subject(line): line for line in self.manifest.lines}
        position = {name: k for k, name in enumerate(self.prepared.pictures.names)}
        behind = len(position)
        file = {original.output: behind + k for k, original in enumerate(self.plan.originals)}

        def place(line: Line) -> tuple[int, int]:
            if "source" in line:
                return position[line["source"]], line.get("copy", 0)
            return file.get(picture_of(line), behind), 0

        lines = sorted(latest.values(), key=place)
        self.manifest.rewrite(lines)
        pictures = map(written_picture, lines)
        self.prepared.pictures.finish(self.folder, [picture for picture in pictures if picture is not None])
        return lines


def _subject(line: Line) -> str | tuple[str, int]:
    """What a line is about."""
    return (line["source"], line["copy"]) if "copy" in line else picture_of(line)


def _finished(manifest: Manifest) -> list[Line]:
    """Lines that need not be made again."""
    latest = {_subject(line): line for line in manifest.lines}
    return [line for line in latest.values() if "failed" not in line and manifest.is_complete(line)]


def _facts(prepared: Prepared) -> dict[str, Any]:
    """What every variant depends on."""
    hashes = {
        "set_sha256": _set_sha256(prepared),
        "model_sha256": None if prepared.space is None else prepared.space.vae.bundle.sha256,
    }
    return prepared.request.facts() | hashes


def _model(prepared: Prepared, folder: Path) -> dict[str, str]:
    """For the header: where a replay finds the model. A path is written relative to the folder; a name stays a name."""
    if prepared.space is None:
        return {}
    model = str(prepared.request.model)
    is_path = model not in available() and Path(model).exists()
    return {"model": os.path.relpath(model, folder) if is_path else model}


def _check_replay(replay: Replay, facts: dict[str, Any], prepared: Prepared) -> None:
    """Raises UsageError. An old manifest may lack the hashes."""
    before, name = replay.header, shown(prepared.request.dataset)
    if before.get("set_sha256") not in (None, facts["set_sha256"]):
        raise UsageError(f"{name}: is not the set of {replay.path}: a picture or a label differs; give its own set")
    if facts["model_sha256"] is not None and before.get("model_sha256") not in (None, facts["model_sha256"]):
        raise UsageError(f"{prepared.request.model}: is not the model of {replay.path}; give that one with --model")


def _set_sha256(prepared: Prepared) -> str:
    """Of every picture and every label: a list, an array or COCO's JSON holds what no other file does."""
    whole, dataset = hashlib.sha256(), mirrored(prepared.request.dataset)
    whole.update((file_sha256(dataset) if dataset.is_file() else "").encode())
    for original in prepared.pictures.originals():
        content = None if callable(original.content) else file_sha256(original.content)
        whole.update(repr((original.output, original.label, content)).encode())
    return whole.hexdigest()


def _check_empty(folder: Path) -> None:
    """Raises OutputError."""
    try:
        if (folder / MANIFEST).exists():
            why = 'is not recognised: no line of it has the key "manifest", as in early versions'
            raise OutputError(f"{folder / MANIFEST}: {why}; choose another -o")
        if folder.exists() and any(folder.iterdir()):
            raise OutputError(f"{folder}: is there and not empty; choose another -o")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another -o") from None


def _check_same(header: Line, facts: dict[str, Any], folder: Path) -> None:
    """Raises OutputError for the folder of another job."""
    if header.get("verb") != VERB:
        raise OutputError(f"{folder}: holds results of another job ({header.get('verb')}); choose another -o")
    changed = next((name for name, value in facts.items() if header.get(name) != value), None)
    if changed is not None:
        difference = _difference(changed, header.get(changed), facts[changed])
        raise OutputError(f"{folder}: was made {difference}; choose another -o")


def _difference(name: str, before: Any, now: Any) -> str:
    """What a fact of the header was and is, in the words of the command line."""
    if name in ("balance", "originals"):
        on, off = {"balance": ("with --balance", "without"), "originals": ("with originals", "without")}[name]
        return f"{on if before else off}, now {on if now else off}"
    if name == "suffix":
        formats = {suffix: name for name, suffix in SUFFIXES.items()}
        return f"with --format {formats.get(before, before)}, now {formats[now]}"
    if name in ("copies", "seed"):
        return f"with --{name} {before}, now {now}"
    if name == "set_sha256":
        return "of another set, or pictures or labels were added, changed or removed since"
    return f"with another {name.removesuffix('_sha256')}"
