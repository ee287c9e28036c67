"""What lies in an output folder already, by its manifest: which results are complete, and which are half done.

{"key": key, "outputs": {...}, "source": ..., ...}      a finished task: equal keys mean equal results
{"begun": key, "outputs": {...}}                        a task that was begun; not finished, it is made again
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from safelight.work import MANIFEST, Line, Manifest, header, json_sha256


def task_key(source_sha256: str, model_sha256: str, parameters: dict[str, object]) -> str:
    """Equal keys mean equal results: the same input, model and parameters."""
    return json_sha256([source_sha256, model_sha256, parameters])


class Results:
    """The manifest of one output folder. Raises OutputError if it cannot be used."""

    def __init__(self, folder: Path, verb: str, name: str = MANIFEST) -> None:
        self._manifest, self._verb = Manifest(folder, name), verb
        self._latest: dict[str, Line] = {}
        """Name of an output → the last line about it."""
        self._outdated: dict[str, Line] = {}
        """Name of an output of a begun task → the line of the finished result that the task will replace."""
        for line in self._manifest.lines:
            self._remember(line)

    def forget(self) -> None:
        """Remove the manifest. Raises OutputError."""
        self._manifest.remove()

    def close(self) -> None:
        """At the end of a run. Raises OutputError."""
        self._manifest.close()

    def files(self) -> set[str]:
        """Real paths of everything that was made here."""
        return {os.path.realpath(self._manifest.path.parent / name) for name in self._latest}

    def is_done(self, key: str, outputs: Sequence[Path]) -> bool:
        """Whether all `outputs` are there as that key's results, complete."""
        sizes = self._manifest.sizes(outputs, as_listed=True)
        lines = {name: self._latest.get(name, {}) for name in sizes}
        return all(lines[name].get("key") == key and lines[name]["outputs"][name] == sizes[name] >= 0 for name in sizes)

    def has_other_settings(self, output: Path, parameters: dict[str, object]) -> bool:
        """Whether `output` is a finished result of other parameters; False if nothing is known of it."""
        made = self._latest.get(self._manifest.name(output), {}).get("parameters")
        if not isinstance(made, dict):
            return False
        asked = json.loads(json.dumps(parameters))
        known_later = {"restorer", *(["precision"] if asked.get("precision", "auto") == "auto" else [])}
        return any(made.get(name) != asked.get(name) for name in {*made, *asked} - known_later)

    def is_own(self, key: str, output: Path) -> bool:
        """Whether `output` is there because of that key's task: one that was cut off, or whose other files are gone."""
        return self.is_done(key, [output]) or self._latest.get(self._manifest.name(output), {}).get("begun") == key

    def begin(self, key: str, outputs: Iterable[Path]) -> None:
        """Write down that a task begins. A manifest without a header, as of older versions, gets one."""
        if self._manifest.header is None:
            self._manifest.header = header(self._verb)
            self._manifest.rewrite(self._manifest.lines)
        names = [self._manifest.name(output) for output in outputs]
        self._outdated |= {name: self._latest[name] for name in names if "key" in self._latest.get(name, {})}
        self._append({"begun": key, "outputs": dict.fromkeys(names, 0)})

    def finish(self, key: str, outputs: Sequence[Path], facts: Line) -> None:
        """Write down a finished task. Raises OutputError for one whose files are not there."""
        self._append({"key": key, "outputs": self._manifest.sizes_of_written(outputs), **facts})

    def give_up(self, outputs: Iterable[Path]) -> None:
        """Write down that a begun task has written nothing: the earlier results of these files are valid again."""
        for name in map(self._manifest.name, outputs):
            line = self._outdated.pop(name, None)
            if line is not None:
                self._append({**line, "outputs": {name: line["outputs"][name]}})

    def _append(self, line: Line) -> None:
        self._remember(self._manifest.append(line))

    def _remember(self, line: Line) -> None:
        if "key" in line or "begun" in line:  # lines of other verbs have neither
            self._latest |= dict.fromkeys(line["outputs"], line)
