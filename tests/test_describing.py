"""What anything is: which way is taken to find out, and that what is wrong is told and not raised."""

import os

import pytest

from direction_finder.errors import InputError
from direction_finder.reports import describe, file_facts
from direction_finder.reports.describing import describe as describe_by


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, str]]:
    """What was looked at by reading it, and how."""
    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(file_facts, "described", lambda path, _: seen.append(("file", str(path))) or {"kind": "file"})
    monkeypatch.setattr(file_facts, "of_spec", lambda spec: seen.append(("spec", spec)) or {"kind": "spec"})
    return seen


def test_a_run_is_told_by_its_headers_unless_it_is_to_be_checked(run_folder, asked):
    assert describe(run_folder)["kind"] == "run" and asked == []
    assert describe(str(run_folder), check=True)["kind"] == "file" and asked == [("file", str(run_folder))]


@pytest.mark.parametrize("target", ["shapes-64", "dcgan:nowhere.pth", "biggan-deep-128"])
def test_a_generator_is_told_by_loading_it(target, asked):
    assert describe(target) == {"path": target, "kind": "spec", "problems": []} and asked == [("spec", target)]


def test_a_file_of_a_generators_name_is_the_file(tmp_path, monkeypatch, asked):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "eyes").touch()
    assert describe("eyes")["kind"] == "file" and asked == [("file", "eyes")]


@pytest.mark.parametrize("target", ["nowhere", "shapes-65", "deep/er.png"])
def test_what_is_not_there_is_refused(target, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^{target}: no such file or folder, and no generator of that name$"):
        describe(target)


def test_what_is_wrong_is_told_beside_what_is_known(monkeypatch, tmp_path):
    def broken(path, problems):
        problems.append("first")
        raise InputError("second")

    monkeypatch.setattr(file_facts, "described", broken)
    (tmp_path / "file").touch()
    told = describe(tmp_path / "file")
    assert told == {"path": str(tmp_path / "file"), "kind": "unreadable", "problems": ["first", "second"]}


def test_the_newest_run(run_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    run_folder.rename(tmp_path / "outputs" / "00001-run")
    assert describe("latest")["path"] == "outputs/00001-run" and describe is describe_by


def test_a_pipe_or_a_device_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(InputError, match="neither a file nor a folder, but a pipe or a device"):
            describe(path)
