"""Copies of finished runs in other storage: whole, and only what is missing."""

import sys

import pytest

import direction_finder as df
from direction_finder.errors import InputError, Unfinished
from direction_finder.files import CONFIG, DIRECTIONS
from direction_finder.runs.uploads import GIVEN_UP, Storage, uploading
from direction_finder.sweeps import running
from tests.conftest import NUM_CLASSES, call


@pytest.fixture
def memory(tmp_path):
    """An empty folder in memory, and its files by their names."""
    from fsspec.implementations.memory import MemoryFileSystem

    files = MemoryFileSystem()
    yield lambda: {name.removeprefix("/runs/"): files.cat_file(name) for name in files.find("/runs")}
    files.rm("/runs", recursive=True)


def below(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run(tmp_path):
    """A folder that looks like a finished run."""
    folder = tmp_path / "run"
    (folder / "previews").mkdir(parents=True)
    for name in (DIRECTIONS, CONFIG, "previews/1.png"):
        (folder / name).write_text(name)
    return folder


def test_a_sweep_copies_every_finished_run_and_repeating_it_what_is_missing(dcgan_file, tmp_path, memory, monkeypatch):
    given = {"loading": {"num_classes": NUM_CLASSES}, "workers": 1, "upload": "memory://runs"}
    rows = df.sweep(f"dcgan:{dcgan_file}", tmp_path / "sweep", ["random", "sefa"], read=("layer9",), **given)
    assert [row["status"] for row in rows] == ["done", "failed"]
    first = memory()
    assert first == below(tmp_path / "sweep") and "random-seed-0/config.json" in first and "runs.csv" in first
    (tmp_path / "sweep" / "random-seed-0" / "rank.json").write_text("{}")
    monkeypatch.setattr(running, "carry_out", None)  # nothing is computed again
    df.sweep(f"dcgan:{dcgan_file}", tmp_path / "sweep", "random", **given)
    assert memory().keys() - first.keys() == {"random-seed-0/rank.json"}


def test_only_what_is_missing_is_copied_and_the_configuration_last(run, memory, monkeypatch):
    storage, put = Storage("memory://runs/"), []
    copy = storage.files.put_file
    monkeypatch.setattr(storage.files, "put_file", lambda here, there: put.append(there) or copy(here, there))
    (run / ".lock").touch()
    storage.upload(run)
    assert sorted(put) == [f"/runs/run/{name}" for name in (CONFIG, DIRECTIONS, "previews/1.png")]
    assert put.pop().endswith(CONFIG)
    put.clear()
    storage.upload(run)
    assert put == []
    (run / DIRECTIONS).write_text("longer than before")
    storage.upload(run)
    assert put == [f"/runs/run/{name}" for name in (DIRECTIONS, CONFIG)]
    (run / CONFIG).write_text("Config.json")  # of the same size
    storage.upload(run)
    assert put[2:] == [f"/runs/run/{CONFIG}"] and memory()["run/config.json"] == b"Config.json"


def test_a_failed_copy_is_one_line_the_run_is_kept_and_repeating_copies_it(dcgan_file, tmp_path):
    """In the way of the folder to copy to is a file."""
    (tmp_path / "wall").write_text("")
    words = ("--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--method", "random")
    for verb, more, name in (("sweep", ("--workers", 1), "random-seed-0"), ("learn", (), "learnt")):
        out = tmp_path / ("sweep" if verb == "sweep" else name)
        upload = ("--upload", f"file://{tmp_path}/wall/{verb}")
        result = call(verb, *words, *more, "--out", out, *upload)
        error = result.stderr.splitlines()[-1]
        assert result.exit_code == 2 and "could not be copied to file://" in error and "it is kept here" in error
        (tmp_path / "wall").unlink()
        again = (*words, *more, "--out", out) if verb == "sweep" else ("--resume", out)
        result = call(verb, *again, *upload)
        assert result.exit_code == 0, result.stderr
        copy = tmp_path / "wall" / verb
        assert below(copy) == below(out) if verb == "sweep" else below(copy / name) == below(out)
        for path in [*copy.rglob("*")][::-1]:
            path.rmdir() if path.is_dir() else path.unlink()
        copy.rmdir(), (tmp_path / "wall").rmdir(), (tmp_path / "wall").write_text("")


def test_wrong_addresses_are_refused_before_anything_is_made(dcgan_file, tmp_path, monkeypatch):
    words = ("--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--method", "random", "--out")
    for verb in ("learn", "sweep"):
        result = call(verb, *words, tmp_path / "out", "--upload", "nowhere://bucket")
        assert result.exit_code == 2 and "--upload nowhere://bucket: Protocol not known: nowhere" in result.stderr
        assert result.stderr.count("\n") == 1 and not (tmp_path / "out").exists()
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    result = call("sweep", *words, tmp_path / "out", "--upload", "memory://runs")
    assert result.exit_code == 2 and "pip install 'direction-finder[upload]'" in result.stderr


def test_after_some_failures_no_more_is_tried(run, tmp_path, monkeypatch):
    tried = []

    def fail(storage, folder):
        tried.append(folder)
        raise Unfinished("the cable is cut")

    monkeypatch.setattr(Storage, "upload", fail)
    with (
        pytest.raises(Unfinished, match="the cable is cut; it is kept here, and repeating the command"),
        uploading("memory://runs", tmp_path) as upload,
    ):
        for _ in range(2 * GIVEN_UP):
            upload(run)
    assert len(tried) == GIVEN_UP
    with pytest.raises(InputError, match="mine"), uploading("memory://runs", tmp_path) as upload:
        upload(run)
        raise InputError("mine")
