"""The table of tasks says what stands in every bundle, and each task has its folders."""

from importlib import import_module

import pytest

from safelight.bundle import TASKS, Card
from safelight.bundle.names import feature, latent, noise, rate, scales, std


@pytest.mark.parametrize("name", TASKS)
def test_a_task_has_a_card_and_a_column_of_its_name(name):
    task = TASKS[name]
    assert issubclass(task.card, Card) and task.card.model_fields["schema_version"].default == task.schema
    assert import_module(f"safelight.bundle.{name}").TASK is task
    assert callable(import_module(f"safelight.runtime.{name}").run_every_graph)


def test_files_of_every_folder_are_required():
    files = TASKS["restore"].required(("a", "b"))
    assert {"card.json", "a/mean.onnx", "b/weights.safetensors"} <= set(files)
    assert TASKS["images"].required(()) == TASKS["images"].files


def test_names_are_counted_from_fine_to_coarse():
    assert list(scales(3)) == [1, 2, 3]
    assert [name(2) for name in (feature, noise, latent, std, rate)] == [
        *("feature_2", "noise_2", "latent_2", "std_2", "rate_2")
    ]
