"""Folders for new runs: their numbers, and what may be taken over."""

import json
import os
from pathlib import Path

import pytest

from direction_finder.errors import InputError
from direction_finder.files import CONFIG, DIRECTIONS, HOST, LOG, PREVIEWS, STATE, TEMPORARY
from direction_finder.locks import locked
from direction_finder.runs.claims import claimed, holds_nothing
from direction_finder.runs.folder import Run


@pytest.fixture
def outputs(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "outputs"


def begin(folder: Path, **config: object) -> None:
    """Leave what a run leaves that is killed in its first second."""
    folder.mkdir(parents=True, exist_ok=True)
    Run.create(folder, {"direction_finder": "0.2.0", **config})
    (folder / LOG).write_text('{"step": 1}\n')
    (folder / PREVIEWS).mkdir(exist_ok=True)
    (folder / PREVIEWS / "000001.png").touch()


def take(out: Path | None, name: str = "run") -> Path:
    with claimed(out, name) as folder:
        assert {path.name for path in folder.iterdir()} == {".lock"}
        (folder / "file").touch()
    return folder


def test_folders_are_numbered_after_the_last(outputs):
    assert take(None, "first") == Path("outputs/00001-first")
    for name in ("00007-seventh", "123-odd", "demo", "000099"):
        (outputs / name).mkdir()
    assert take(None, "next") == Path("outputs/00008-next")


def test_the_folder_of_another_process_is_left_to_it(outputs):
    with claimed(None, "run") as theirs:
        begin(theirs)
        assert take(None) == Path("outputs/00002-run")
        assert (theirs / CONFIG).is_file()
        with pytest.raises(InputError, match="another process is writing in this folder"), claimed(theirs):
            pass
    with pytest.raises(InputError, match="exists and is not empty"):
        take(Path("outputs/00002-run"))


def test_a_folder_is_gone_if_nothing_came_into_it(tmp_path):
    with pytest.raises(ZeroDivisionError), claimed(tmp_path / "deep" / "empty") as folder:
        assert folder.is_dir()
        raise ZeroDivisionError
    assert not (tmp_path / "deep" / "empty").exists()
    assert os.listdir(take(tmp_path / "full")) == ["file"]


def test_a_start_that_was_killed_is_taken_over(outputs):
    begin(outputs / "00001-run")
    begin(outputs / "00002-other")
    begin(outputs / "named")
    (outputs / "named" / DIRECTIONS).touch()
    (outputs / "named" / f"{TEMPORARY}{HOST}-99999999-0.png").touch()
    assert take(None, "run") == Path("outputs/00001-run")
    assert take(None, "run") == Path("outputs/00003-run")
    assert take(outputs / "named") == outputs / "named"
    assert (outputs / "00002-other" / CONFIG).is_file()


@pytest.mark.parametrize("name", [STATE, "best.safetensors", "notes.txt"])
def test_what_has_value_is_kept(name, tmp_path):
    begin(tmp_path)
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=f"contains a run already; resume it with --resume {tmp_path}"):
        take(tmp_path)
    (tmp_path / CONFIG).rename(tmp_path / "other.json")
    with pytest.raises(InputError, match="exists and is not empty"):
        take(tmp_path)
    assert (tmp_path / LOG).is_file() and (tmp_path / name).is_file()


@pytest.mark.parametrize(
    "config",
    [
        {"direction_finder": "0.2.0", "started": "now", "finished": "now"},
        {"z_dim": 128, "layers": []},
        [],
        "{",
    ],
)
def test_what_is_no_dead_run_is_kept(config, tmp_path):
    (tmp_path / CONFIG).write_text(config if isinstance(config, str) else json.dumps(config))
    assert not holds_nothing(tmp_path)
    with pytest.raises(InputError, match="contains a run already"):
        take(tmp_path)


def test_a_crash_while_a_folder_is_emptied_does_no_harm(tmp_path, monkeypatch):
    """Whatever is deleted first, what is left is still recognised as a dead run."""
    begin(tmp_path)
    unlink = Path.unlink

    def crash(path: Path, **named: object) -> None:
        if path.name == CONFIG:
            raise KeyboardInterrupt
        unlink(path, **named)

    monkeypatch.setattr(Path, "unlink", crash)
    with pytest.raises(KeyboardInterrupt):
        take(tmp_path)
    monkeypatch.undo()
    assert {path.name for path in tmp_path.iterdir()} <= {CONFIG, ".lock"}
    take(tmp_path)


def test_a_folder_is_used_by_one_process_at_a_time(tmp_path):
    with locked(tmp_path), pytest.raises(InputError, match="another process is writing"):
        take(tmp_path)
