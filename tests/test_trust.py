"""A run folder or a directions file from somebody else runs no code and downloads nothing, under any verb."""

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import direction_finder as df
from direction_finder.commands import VERBS
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.runs import trust
from tests.conftest import call

EVIL = "python:theirs.evil:f"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The working directory, with code of somebody else's that leaves a trace when it is imported or called."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    trace = f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "__init__.py").write_text(trace)
    (tmp_path / "theirs" / "evil.py").write_text(trace + "def f():\n    " + trace)
    shutil.copy(Path(__file__).parent / "users_networks.py", tmp_path / "mine.py")
    yield tmp_path
    for name in ("mine", "theirs", "theirs.evil"):
        sys.modules.pop(name, None)


def hostile(run: Path, spec: str) -> None:
    """Make a finished run ask for another generator."""
    config = json.loads((run / "config.json").read_text())
    config["generator"]["spec"] = spec
    config["finished"] = None
    (run / "config.json").write_text(json.dumps(config))
    directions = Directions.load(run)
    replace(directions, generator=spec).save(run / "directions.safetensors")
    shutil.copy(run / "directions.safetensors", "received.safetensors")


WORDS = {  # what every verb is tried with; RUN is replaced by the run folder, and by the file of directions
    "learn": [["--resume", "RUN"], ["--generator", "shapes-64", "--method", "hessian", "--steps", "1", "--start", "RUN",
                                    "--out", "new"]],
    "sweep": [["--generator", "clevr-1fov", "--method", "random", "--workers", "1", "--out", "RUN"]],
    "bend": [["RUN"]],
    "rank": [["RUN"], ["RUN", "--with", "RUN"]],
    "name": [["RUN", "0", "zoom"]],
    "render": [["grid", "RUN"], ["video", "RUN"]],
    "align": [["RUN", "--direction", "0"]],
    "edit": [["RUN", "--step", "move:0=1"]],
    "measure": [["RUN", "--metric", "activeness"], ["RUN", "--metric", "ppl"]],
    "train": [["biggan", "--resume", "RUN"], ["progan", "--resume", "RUN"], ["factors", "RUN", "RUN", "--out", "f.pt"]],
    "finetune": [["--resume", "RUN"], ["RUN", "RUN"]],
    "scenes": [["shapes", "--num", "1", "--out", "RUN"], ["verify", "RUN"]],
    "import": [["RUN", "--out", "imported"]],
    "export": [["RUN", "--out", "rows.npy"]],
    "page": [["RUN"]],
    "gallery": [["."]],
    "classes": [["--generator", "RUN"]],
    "info": [["RUN"]],
}  # fmt: skip


@pytest.mark.parametrize("received", ["run", "received.safetensors"])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("spec", [EVIL, "python:theirs/evil.py:f", "hf:theirs/network", "biggan-deep-256"])
def test_nothing_that_a_file_names_runs(verb, received, spec, folder, run_folder, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # where nobody listens
    monkeypatch.setenv("DIRECTION_FINDER_MIRROR", "http://127.0.0.1:9")
    monkeypatch.setenv("DIRECTION_FINDER_CACHE", str(folder / "cache"))
    hostile(run_folder, spec)
    for words in WORDS[verb]:
        result = call(verb, *(received if word == "RUN" else word for word in words))
        assert not (folder / "ran").exists()
        assert "127.0.0.1" not in result.output
        assert "theirs" not in sys.modules
    needs_the_generator = verb in ("bend", "rank", "render", "align", "edit", "measure") or (verb, received) == (
        "learn",
        "run",
    )
    if needs_the_generator:
        asked = call(verb, *(received if word == "RUN" else word for word in WORDS[verb][0]))
        assert asked.exit_code == 2
        assert f"asks for generator {spec}" in asked.stderr
        assert f"--generator {spec}" in asked.stderr


def test_the_trace_appears_where_the_user_names_the_code(folder, run_folder):
    hostile(run_folder, EVIL)
    call("render", "grid", "run", "--generator", EVIL)
    assert (folder / "ran").exists()


def test_the_generator_that_learn_was_given_is_called_from_any_folder(folder, monkeypatch):
    assert call("learn", "--generator", "python:mine:blocks", "--points", 2, "--out", "own").exit_code == 0
    monkeypatch.chdir("theirs")
    assert call("rank", "../own", "--ranges", "none", "--samples", 2).exit_code == 0
    assert call("align", "../own/directions.safetensors", "--direction", "0", "--out", "a.png").exit_code == 0
    assert call("learn", "--resume", "../own", "--points", 4).exit_code == 0


def test_changed_code_and_copied_folders_ask_again(folder):
    assert call("learn", "--generator", "python:mine:blocks", "--points", 2, "--out", "own").exit_code == 0
    shutil.copytree("own", "copied")
    copied = call("render", "grid", "copied")
    assert copied.exit_code == 2
    assert "was not made by you" in copied.stderr
    with open("mine.py", "a") as file:
        file.write("# changed\n")
    changed = call("render", "grid", "own")
    assert changed.exit_code == 2
    assert "has changed since `learn`" in changed.stderr
    for run in ("own", "copied"):
        assert call("render", "grid", run, "--generator", "python:mine:blocks", "--samples", 1).exit_code == 0
        assert call("render", "grid", run, "--samples", 1).exit_code == 0  # named once, for this folder
    assert call("learn", "--resume", "copied", "--generator", "python:mine.py:blocks", "--points", 4).exit_code == 0
    assert call("render", "grid", "copied", "--samples", 1).exit_code == 0  # named once, for this folder


def test_what_is_allowed_lies_outside_the_run(folder):
    run = folder / "own"
    run.mkdir()
    trust.remember(run, EVIL)
    assert not any(run.iterdir())
    assert trust.searched_folder(run, EVIL) == folder
    assert trust.searched_folder(run, "dcgan:somewhere.pth") is None
    with pytest.raises(InputError, match=r"asks for generator python:theirs.other:f"):
        trust.searched_folder(run, "python:theirs.other:f")
    with pytest.raises(InputError, match=r"asks for generator python:os:abort"):
        trust.searched_folder(folder / "received", "python:os:abort")
    (folder / "theirs" / "__init__.py").write_text("")
    with pytest.raises(InputError, match="has changed"):
        trust.searched_folder(run, EVIL)
    assert os.environ["DIRECTION_FINDER_CONFIG"] not in str(run)


@pytest.mark.parametrize("spec", [None, "", "shapes-64", "dcgan:somewhere.pth", "biggan-deep:folder", "hf", "python"])
def test_nothing_is_noted_where_there_is_nothing_to_allow(spec, tmp_path, monkeypatch):
    monkeypatch.setenv("DIRECTION_FINDER_CONFIG", str(tmp_path / "settings"))
    trust.remember(tmp_path, spec)
    assert not (tmp_path / "settings").exists() and trust.searched_folder(tmp_path, spec or "") is None


@pytest.mark.parametrize("spec", ["hf:owner/network", "biggan-deep-256"])
def test_a_download_is_allowed_to_the_run_that_named_it_from_every_folder(spec, tmp_path, monkeypatch):
    monkeypatch.setenv("DIRECTION_FINDER_CACHE", str(tmp_path / "cache"))
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    trust.remember(tmp_path / "own", spec)
    monkeypatch.chdir(tmp_path)
    assert trust.searched_folder(Path("own"), spec) is not None
    with pytest.raises(
        InputError, match=f"asks for generator {spec}, which downloads weights, and was not made by you"
    ):
        trust.searched_folder(Path("other"), spec)
    trust.remember(tmp_path / "own", "hf:owner/another")
    with pytest.raises(InputError, match=f"asks for generator {spec}"):
        trust.searched_folder(Path("own"), spec)


def test_learn_from_python_allows_what_its_generator_was_named(folder):
    run = df.learn("python:mine:blocks", points=2, out="own")
    assert trust.searched_folder(run.folder, run.config["generator"]["spec"]) == folder
    assert df.open_run(run.folder).resume(points=3).finished
