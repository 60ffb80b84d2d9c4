"""The word "latest"."""

import os
from pathlib import Path

import pytest

from direction_finder.errors import InputError
from direction_finder.files import CONFIG
from direction_finder.runs import newest_run


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "outputs"


def made(outputs: Path, name: str, seconds: int) -> Path:
    (outputs / name).mkdir(parents=True)
    (outputs / name / CONFIG).write_text("{}")
    os.utime(outputs / name / CONFIG, (seconds, seconds))
    return Path("outputs") / name


@pytest.mark.parametrize("value", ["outputs/x", Path("x"), "Latest", None, 3])
def test_everything_else_stays_as_it_is(value):
    assert newest_run(value) is value


@pytest.mark.parametrize("word", ["latest", Path("latest")])
def test_the_newest_is_the_one_whose_configuration_was_written_last(word, outputs):
    new = made(outputs, "00001-new", 2_000)
    made(outputs, "00002-old", 1_000)
    (outputs / "00003-no-run").mkdir()
    (outputs / "nested" / "deeper").mkdir(parents=True)
    (outputs / "nested" / "deeper" / CONFIG).write_text("{}")
    assert newest_run(word) == new


def test_of_two_at_the_same_moment_it_is_the_one_with_the_larger_number(outputs):
    made(outputs, "00001-a", 1_000)
    larger = made(outputs, "00002-b", 1_000)
    assert newest_run("latest") == larger


def test_a_folder_of_that_name_is_itself(outputs):
    made(outputs, "00001-a", 1_000)
    Path("latest").mkdir()
    assert newest_run("latest") == "latest"


@pytest.mark.parametrize("empty", [False, True])
def test_without_runs_it_is_refused(empty, outputs):
    if empty:
        outputs.mkdir()
    with pytest.raises(InputError, match=r"^latest: this folder has no runs under outputs/; name a run folder$"):
        newest_run("latest")
