"""What is left of a run after every way in which it can end, when it begins and when it goes on."""

import json
from pathlib import Path

import pytest
import torch

from direction_finder.errors import Diverged, InputError, MissingExtra
from direction_finder.files import CONFIG, LOG
from direction_finder.runs.folder import Run
from direction_finder.runs.lifecycle import begun, check_longer, resumed

CONTENT = {"settings": {"steps": 2}, "method": "hessian"}
OURS = [InputError("x"), Diverged("x"), MissingExtra("x", "measure")]
OTHERS = [KeyboardInterrupt(), RuntimeError("x"), OSError("x")]


def config(folder: Path) -> dict:
    return json.loads((folder / CONFIG).read_text())


def begin(folder: Path, error: BaseException, *, state: bool) -> None:
    with pytest.raises(type(error)), begun(folder, "run", CONTENT) as run:
        run.log.write_text('{"step": 1}\n')
        if state:
            run.write_state({"step": torch.tensor(1)})
        raise error


@pytest.fixture
def run(tmp_path) -> Run:
    """A finished run of two steps, with three in its log."""
    with begun(tmp_path / "run", "run", CONTENT) as run:
        run.write_state({"step": torch.tensor(2)})
        run.log.write_text("".join(f'{{"step": {number}}}\n' for number in (1, 2, 3)))
        run.finish()
    return Run.open(tmp_path / "run", ())


def test_a_run_begins_with_its_configuration(tmp_path):
    with begun(tmp_path / "run", "unused", CONTENT) as run:
        assert config(run.folder) == run.config and run.config.items() >= CONTENT.items()
    assert not run.finished and set(CONTENT) == {"settings", "method"}


@pytest.mark.parametrize("error", OURS, ids=lambda error: type(error).__name__)
def test_a_run_that_fails_before_its_first_state_is_gone(error, tmp_path):
    begin(tmp_path / "run", error, state=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("error", [*OURS, *OTHERS], ids=lambda error: type(error).__name__)
def test_a_run_that_fails_after_its_first_state_can_go_on(error, tmp_path):
    begin(tmp_path / "run", error, state=True)
    left = Run.open(tmp_path / "run", ("settings",))
    assert int(left.read_state()["step"]) == 1 and len(left.steps()) == 1 and not left.finished


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: type(error).__name__)
def test_a_run_that_was_stopped_from_outside_can_go_on_from_nothing(error, tmp_path):
    begin(tmp_path / "run", error, state=False)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {CONFIG, LOG}
    assert Run.open(tmp_path / "run", ("settings",)).read_state() is None


def test_numbered_folders_are_taken_away_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError), begun(None, "run", CONTENT) as run:
        assert run.folder.is_dir()
        raise InputError("x")
    assert not any((tmp_path / "outputs").iterdir())


def test_a_folder_in_use_is_refused_and_stays(run):
    before = {path: path.read_bytes() for path in run.folder.iterdir()}
    with pytest.raises(InputError, match="contains a run already"), begun(run.folder, "run", CONTENT):
        pass
    assert {path: path.read_bytes() for path in run.folder.iterdir()} == before


def test_a_run_goes_on_with_what_changes_and_a_log_up_to_its_state(run):
    with resumed(run, {"settings": {"steps": 9}}, 2):
        now = config(run.folder)
        assert now == {**config(run.folder), "settings": {"steps": 9}, "finished": None, "method": "hessian"}
        assert [step["step"] for step in run.steps()] == [1, 2]
    assert config(run.folder) == now


@pytest.mark.parametrize("error", OURS, ids=lambda error: type(error).__name__)
def test_a_refused_change_is_taken_back(error, run):
    before = config(run.folder)
    with pytest.raises(type(error)), resumed(run, {"settings": {"steps": 9}, "generator": {"spec": "other"}}, 2):
        raise error
    assert config(run.folder) == before and before["finished"]


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: type(error).__name__)
def test_a_change_stays_if_the_run_was_stopped_from_outside(error, run):
    with pytest.raises(type(error)), resumed(run, {"settings": {"steps": 9}}, 2):
        raise error
    assert config(run.folder)["settings"] == {"steps": 9} and config(run.folder)["finished"] is None


def test_a_run_can_only_be_prolonged():
    check_longer("steps", 5, 5)
    with pytest.raises(InputError, match=r"^`steps` 4: the run is at step 5 already; it can only be made longer$"):
        check_longer("steps", 4, 5)


def test_a_run_of_another_version_that_cannot_be_resumed_says_so(run):
    run.config["direction_finder"] = "0.1.0"
    words = r"no such layer; the run was begun by direction-finder 0\.1\.0, and this is"
    with pytest.raises(InputError, match=words), resumed(run, {}, 2):
        raise InputError("no such layer")
