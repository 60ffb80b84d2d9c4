"""What may be replaced by what: nothing of another kind, and nothing of others without a word."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.images import Row, write_sheet, write_video
from direction_finder.overwriting import (
    DIRECTIONS,
    GIF,
    HTML,
    MP4,
    NPY,
    OTHER,
    PNG,
    RECIPE,
    TORCH,
    check_overwrite,
    kind_of,
)
from direction_finder.recipes import Recipe, Step
from direction_finder.samples import Samples
from tests.conftest import call

FRAMES = [np.zeros((16, 16, 3), np.uint8)] * 2
MADE = {"made_by": "direction-finder"}


@pytest.fixture
def files(tmp_path) -> dict[str, Path]:
    """A file of ours of each kind."""
    paths = {
        kind: tmp_path / f"file{number}" for number, kind in enumerate((DIRECTIONS, RECIPE, "samples", NPY, TORCH))
    }
    endings = {DIRECTIONS: ".safetensors", RECIPE: ".json", "samples": ".safetensors", NPY: ".npy", TORCH: ".pt"}
    paths = {kind: path.with_suffix(endings[kind]) for kind, path in paths.items()}
    Directions(torch.eye(2), "random", package_version="0").save(paths[DIRECTIONS])
    Recipe((Step("move", 0, 1.0),), 0, 1).save(paths[RECIPE])
    Samples(torch.ones(1, 1, 2)).save(paths["samples"])
    Samples(torch.ones(1, 1, 2)).save(paths[NPY])
    Samples(torch.ones(1, 1, 2)).save(paths[TORCH])
    paths |= {PNG: tmp_path / "a.png", MP4: tmp_path / "a.mp4", GIF: tmp_path / "a.gif", HTML: tmp_path / "a.html"}
    write_sheet(paths[PNG], [Row("", np.stack(FRAMES))], made=MADE)
    write_video(paths[MP4], FRAMES, made=MADE)
    write_video(paths[GIF], FRAMES, made=MADE)
    paths[HTML].write_text("<!doctype html>\n<title>direction-finder</title>")
    return paths


def test_a_file_of_another_kind_is_never_replaced(files):
    for kind, path in files.items():
        assert kind_of(path) == kind
        for other in files.keys() - {kind}:
            with pytest.raises(InputError, match=f"exists and is {kind}, not {other}; give another name"):
                check_overwrite(path, other, force=True)


def test_ours_are_replaced_and_those_of_others_only_by_force(files, tmp_path):
    for kind, path in files.items():
        if kind not in (NPY, TORCH):  # which cannot say who wrote them
            check_overwrite(path, kind, force=False)
    theirs = tmp_path / "theirs.png"
    Image.new("RGB", (4, 4)).save(theirs)
    check_overwrite(theirs, PNG)
    with pytest.raises(InputError, match="was not written by direction-finder; give another name, or --force"):
        check_overwrite(theirs, PNG, force=False)


def test_what_is_missing_or_empty_may_be_written_and_what_is_no_file_may_not(tmp_path):
    check_overwrite(tmp_path / "missing", PNG, force=False)
    (tmp_path / "empty").touch()
    check_overwrite(tmp_path / "empty", PNG, force=False)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(InputError, match="exists and is not a file"):
            check_overwrite(path, PNG)


@pytest.mark.parametrize(
    "content", [b"hello", b"{", b"\0" * 99, b"\xff" * 8 + b"{", b"%PDF", json.dumps({"a": 1}).encode()]
)
def test_other_files_are_of_no_kind_of_ours(content, tmp_path):
    (tmp_path / "other").write_bytes(content)
    assert kind_of(tmp_path / "other") == OTHER


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("edit", "RUN", "--step", "move:0=1", "--out", "RUN/config.png"), "config.json: exists and is"),
        (("page", "RUN", "--out", "RUN/directions.safetensors"), "a directions file, not an HTML page"),
        (("render", "grid", "RUN", "--out", "THEIRS.png"), "was not written by direction-finder"),
        (("align", "RUN", "--direction", "0", "--out", "THEIRS.png"), "--force"),
        (("edit", "RUN", "--step", "move:0=1", "--out", "THEIRS.png"), "--force"),
        (("export", "RUN", "--out", "THEIRS.npy"), "--force"),
        (("page", "RUN", "--out", "THEIRS.html"), "--force"),
        (("render", "video", "RUN", "--out", "THEIRS.gif"), "a PNG image, not a GIF"),
    ],
)
def test_commands_replace_nothing_else(arguments, words, run_folder, tmp_path):
    theirs = tmp_path / "theirs"
    Image.new("RGB", (4, 4)).save(theirs.with_suffix(".png"))
    theirs.with_suffix(".gif").write_bytes(theirs.with_suffix(".png").read_bytes())
    np.save(theirs.with_suffix(".npy"), np.eye(2))
    theirs.with_suffix(".html").write_text("<!doctype html>mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    given = [part.replace("RUN", str(run_folder)).replace("THEIRS", str(theirs)) for part in arguments]
    result = call(*given)
    assert result.exit_code == 2 and words in result.stderr and len(result.stderr.splitlines()) == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    if "--force" in words:
        assert call(*given, "--force").exit_code == 0
        assert call(*given, *(["--force"] if given[0] == "export" else [])).exit_code == 0  # ours by now
