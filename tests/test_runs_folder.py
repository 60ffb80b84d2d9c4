"""Run folders: their numbers and names, the log and the state, and what is left of a run that never began."""

import json

import pytest
import torch
from safetensors.torch import save_file

from direction_finder.errors import InputError
from direction_finder.files import CONFIG, LOG, PREVIEWS, STATE
from direction_finder.runs.folder import Run, absolute, slug


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(tmp_path, {"method": "random"})


def logged(run: Run, text: str) -> None:
    run.log.write_text(text, encoding="utf-8")


def test_a_run_says_when_it_began_and_whether_it_came_to_its_end(run):
    assert not run.finished and Run.open(run.folder, ()).config == run.config
    assert run.config["method"] == "random" and run.config["started"].endswith("+00:00")
    run.finish()
    assert run.finished and Run.open(run.folder, ()).finished
    run.finish(False)
    assert not Run.open(run.folder, ()).finished


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, f"it has no {CONFIG}"),
        ("{", "not JSON"),
        ("[]", "expected object, got array"),
        ("{}", "has no 'method'"),
        ('{"method": "random"}', "has no 'settings'"),
    ],
)
def test_what_is_no_run_is_refused_with_the_verb_that_makes_one(content, words, tmp_path):
    if content:
        (tmp_path / CONFIG).write_text(content)
    with pytest.raises(InputError, match=words) as caught:
        Run.open(tmp_path, ("method", "settings"), "train progan")
    assert "has no" not in words or str(caught.value).endswith("give one that `train progan` made")


def test_a_state_is_read_as_it_was_written(run):
    assert run.read_state() is None
    state = {"step": torch.tensor(3), "rows": torch.randn(4, 2).mT}
    run.write_state(state)
    found = run.read_state()
    assert found.keys() == state.keys() and all(torch.equal(found[name], state[name]) for name in state)
    assert [path.name for path in run.folder.iterdir() if path.name.startswith(".")] == []


def test_a_damaged_state_is_told_in_a_line_with_the_cure(run):
    run.write_state({"step": torch.tensor(3)})
    path = run.folder / STATE
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InputError, match=r"damaged \(.*\); delete it to start the run again$"):
        run.read_state()
    save_file({"something": torch.ones(1)}, path)
    with pytest.raises(InputError, match=r"it has no step\); delete it to start the run again$"):
        run.read_state()


def test_a_log_is_read_up_to_a_line_that_was_cut_short(run):
    assert run.steps() == []
    logged(run, '{"step": 1, "loss": 2.0}\n{"step": 2}\n{"step": 3, "lo')
    assert run.steps() == [{"step": 1, "loss": 2.0}, {"step": 2}]


@pytest.mark.parametrize(("step", "kept"), [(0, []), (2, [1, 2]), (9, [1, 2, 3])])
def test_a_log_is_cut_to_the_step_of_the_state(step, kept, run):
    run.cut_log(step)
    assert not run.log.exists()
    logged(run, "".join(f'{{"step": {number}}}\n' for number in (1, 2, 3)) + '{"step": 4, "lo')
    run.cut_log(step)
    assert run.log.read_text() == "".join(f'{{"step": {number}}}\n' for number in kept)


def test_a_run_that_never_began_leaves_nothing(run):
    logged(run, '{"step": 1}\n')
    (run.folder / PREVIEWS).mkdir()
    (run.folder / PREVIEWS / "000001.png").touch()
    run.remove_if_not_begun()
    assert not run.folder.exists()


@pytest.mark.parametrize("name", [STATE, "directions.safetensors", "best.safetensors", "notes.txt"])
def test_a_run_that_began_and_files_of_others_are_kept(name, run):
    logged(run, '{"step": 1}\n')
    (run.folder / name).touch()
    run.remove_if_not_begun()
    assert {path.name for path in run.folder.iterdir()} == {CONFIG, LOG, name}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("random dcgan:Small class 1", "random-dcgan-small-class-1"),
        ("joint Zürich's  cafés ", "joint-zurich-s-cafes"),
        ("a/b\\..", "a-b"),
        ("日本", ""),
    ],
)
def test_names_of_folders_are_plain(text, name):
    assert slug(text) == name


def test_paths_in_names_of_generators_mean_the_same_in_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert absolute("dcgan:g.pth") == f"dcgan:{tmp_path / 'g.pth'}"
    assert absolute("biggan-deep:../x") == f"biggan-deep:{tmp_path.parent / 'x'}"
    assert absolute("python:mine.py:make") == f"python:{tmp_path / 'mine.py'}:make"
    for spec in ("shapes-64", "hf:owner/name", "python:mine.nets:make", "biggan"):
        assert absolute(spec) == spec


def test_the_configuration_is_plain_json(run):
    assert json.loads((run.folder / CONFIG).read_text()) == run.config
