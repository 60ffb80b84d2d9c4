"""Paths and texts of options: no pipes, no devices, no impossible names, nothing empty."""

import os
from pathlib import Path

import click
import pytest

from direction_finder.commands.paths import Place, RunPath, Text


def refusal(kind: click.ParamType, text: object) -> str:
    with pytest.raises(click.BadParameter) as caught:
        kind.convert(text, None, None)
    return caught.value.message


@pytest.fixture
def pipe(tmp_path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("kind", [Place(), Place(exists=True), Place(folder=False), Place(file=False), RunPath()])
def test_what_is_no_place_is_refused(kind, pipe):
    assert "a pipe or a device; expected a file or a folder" in refusal(kind, str(pipe))
    assert "a pipe or a device" in refusal(kind, "/dev/zero")
    assert "File name too long" in refusal(kind, str(pipe.with_name("n" * 300)))
    assert "expected a path" in refusal(kind, "")


def test_places(tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert Place(folder=False).convert(str(file), None, None) == file
    assert Place(file=False).convert(str(tmp_path / "new"), None, None) == tmp_path / "new"
    assert "is a file" in refusal(Place(file=False), str(file))
    assert "is a directory" in refusal(Place(folder=False), str(tmp_path))
    assert "does not exist" in refusal(Place(exists=True), str(tmp_path / "new"))
    assert "does not exist" in refusal(Place(exists=True), str(file / "below"))


def test_an_empty_text_is_refused():
    assert Text().convert("shapes-64", None, None) == "shapes-64"
    for text in ("", " "):
        assert "expected a text; leave it out" in refusal(Text(), text)
