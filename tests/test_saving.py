"""What a measurement leaves in a folder: its report, its figure, its raw measurements; a note if these are large."""

import json
from pathlib import Path

import pytest
import torch

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.reports.measures import saving, take
from direction_finder.reports.measures.saving import save, save_together
from direction_finder.reports.measures.task import Choices, Task
from tests.planted import planted


@pytest.fixture
def task() -> Task:
    return Task(planted(3), Directions(torch.eye(3), "random"), choices=Choices(samples=2))


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_measurement_leaves_all_of_its_files(task, tmp_path):
    save(take(task, "diagonality"), tmp_path, task, on_note=pytest.fail)
    figures = {f"{stem}.{suffix}" for stem in ("diagonality", "penalty") for suffix in ("png", "svg")}
    assert files(tmp_path) == {"diagonality.json", "raw/diagonality.safetensors", *figures}


def test_one_that_was_computed_again_leaves_what_needs_no_images(task, tmp_path):
    save(take(task, "diagonality"), tmp_path, on_note=pytest.fail)
    assert files(tmp_path) == {"diagonality.json", "diagonality.png", "diagonality.svg"}


def test_large_files_are_noted(task, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "LARGE", 100)
    notes: list[str] = []
    save(take(task, "activeness"), tmp_path, task, on_note=notes.append)
    (note,) = notes
    assert note.startswith(f"{tmp_path / 'raw' / 'activeness.safetensors'} has 0 MB; delete it if activeness need not")


def test_without_raw_measurements_there_is_no_report_of_them(task, tmp_path):
    """If raw measurements cannot be written, the report stays that of the last ones."""
    (tmp_path / "raw" / "activeness.safetensors").mkdir(parents=True)
    with pytest.raises(InputError, match="exists and is not a file"):
        save(take(task, "activeness"), tmp_path, task, on_note=pytest.fail)
    assert files(tmp_path) == set()


def test_several_targets_are_one_file_one_table_and_one_figure(task, tmp_path):
    report = take(task, "activeness").report
    save_together({"a/run": {"activeness": report}, "b/run": {}}, tmp_path)
    assert files(tmp_path) == {"measures.json", "measures.md", "activeness.png", "activeness.svg"}
    assert json.loads((tmp_path / "measures.json").read_text())["a/run"]["activeness"]["active"] == report["active"]
    assert "| b/run |" in (tmp_path / "measures.md").read_text()
