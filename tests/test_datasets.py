"""Data sets of images on disk: written, opened, resumed, damaged; and folders of any images."""

import json
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from direction_finder.datasets import (
    CHECKSUMS,
    DATASET,
    FACTORS,
    Dataset,
    Factor,
    Images,
    begin,
    finish,
    image_name,
    missing,
    read_image,
    read_images,
    write_image,
)
from direction_finder.errors import InputError

ABOUT = {"kind": "test", "seed": 3, "resolution": 8, "versions": {"numpy": "1"}}
SIZE, SHAPE = Factor("size", 1.0, 2.0), Factor("shape", choices=("cube", "ball"))
ROWS = [{"size": 1.25, "shape": "ball"}, {"size": 2.0, "shape": "cube"}, {"size": 1.5, "shape": "ball"}]
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)


@pytest.fixture
def begun(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    begin(folder, ABOUT, (SIZE, SHAPE), ROWS)
    for index in (0, 2):
        write_image(folder / image_name(index), IMAGES[index])
    return folder


@pytest.fixture
def finished(begun):
    write_image(begun / image_name(1), IMAGES[1])
    finish(begun, 3)
    return begun


def test_what_is_written_is_read(finished):
    data = Dataset.open(finished)
    assert len(data) == 3 and data.factors == (SIZE, SHAPE) and data.about["seed"] == 3
    assert data.values["size"].tolist() == [1.25, 2.0, 1.5]
    assert data.values["shape"].tolist() == [1, 0, 1]  # places among the choices
    assert np.array_equal(data.images(), IMAGES) and np.array_equal(data.images([2, 0]), IMAGES[[2, 0]])
    assert data.damaged() == []


def test_a_set_is_open_only_when_it_is_finished(begun, tmp_path):
    assert missing(begun, 3) == [1] and missing(begun, 5) == [1, 3, 4]
    with pytest.raises(InputError, match="not finished"):
        Dataset.open(begun)
    with pytest.raises(InputError, match="not a data set"):
        Dataset.open(tmp_path)


def test_the_same_set_can_be_gone_on_with_and_prolonged(finished):
    begin(finished, ABOUT, (SIZE, SHAPE), ROWS)
    assert Dataset.open(finished).damaged() == []  # still whole
    begin(finished, ABOUT, (SIZE, SHAPE), [*ROWS, ROWS[0]])
    assert not (finished / CHECKSUMS).exists() and missing(finished, 4) == [3]


@pytest.mark.parametrize(
    ("about", "factors", "rows", "words"),
    [
        ({"seed": 4}, (SIZE, SHAPE), ROWS, "seed 3, not 4"),
        ({"more": 1}, (SIZE, SHAPE), ROWS, "more None, not 1"),
        ({}, (SIZE,), ROWS, "factors"),
        ({"versions": {"numpy": "2"}}, (SIZE, SHAPE), ROWS, "may render differently"),
        ({}, (SIZE, SHAPE), ROWS[:2], "3 images already, more than 2"),
    ],
)
def test_another_set_is_refused(about, factors, rows, words, finished):
    before = {path: path.read_bytes() for path in finished.rglob("*.*")}
    with pytest.raises(InputError, match=words):
        begin(finished, ABOUT | about, factors, rows)
    assert {path: path.read_bytes() for path in finished.rglob("*.*")} == before


def test_damage_is_found(finished):
    write_image(finished / image_name(1), IMAGES[0])
    (finished / image_name(2)).unlink()
    assert Dataset.open(finished).damaged() == [image_name(1), image_name(2)]


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        (FACTORS, "2,1.5,ball\n", "", "not have one row for each of 3"),
        (FACTORS, "cube", "cone", "row 1 has the shape 'cone', which does not fit"),
        (FACTORS, "2.0", "large", "row 1 has the size 'large', which does not fit"),
        (FACTORS, "index,size", "index,width", "row 0 has the size None, which does not fit"),
        (DATASET, '"choices"', '"options"', r"missing required field choices, at factors\[0\]"),
        (DATASET, '"num"', '"count"', "missing required field num"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(file, old, new, words, finished):
    text = (finished / file).read_text()
    assert old in text
    (finished / file).write_text(text.replace(old, new))
    with pytest.raises(InputError, match=words):
        Dataset.open(finished)


@pytest.mark.parametrize("content", [None, b"", b"text"])
def test_a_image_that_cannot_be_read_is_named(content, tmp_path):
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png: (not a readable image|no such file)"):
        read_image(tmp_path / "a.png")


def test_grey_images_and_alpha_become_three_channels(tmp_path):
    for mode in ("L", "RGBA", "P"):
        Image.new(mode, (5, 4)).save(tmp_path / "a.png")
        assert read_image(tmp_path / "a.png").shape == (4, 5, 3)


def test_images_of_a_data_set_have_its_size_and_kind(finished):
    images, about = read_images(finished)
    assert np.array_equal(images, IMAGES)
    expected = {"folder": str(finished), "kind": "test", "seed": 3, "num": 3, "resolution": 8}
    assert about.items() > expected.items() and len(about["sha256"]) == 64
    smaller, _ = read_images(finished, 4)
    assert smaller.shape == (3, 4, 4, 3)
    write_image(finished / image_name(1), IMAGES[0])
    assert read_images(finished)[1]["sha256"] != about["sha256"]


def test_of_a_folder_of_images_the_middle_squares_are_taken(tmp_path, monkeypatch):
    files = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda *given: sorted(files(*given), reverse=True))  # in any order
    (tmp_path / "more").mkdir()
    wide = np.zeros((6, 10, 3), np.uint8)
    wide[:, 2:8] = (10, 200, 30)
    Image.fromarray(wide).save(tmp_path / "b.PNG")
    Image.fromarray(wide.swapaxes(0, 1).copy()).save(tmp_path / "more" / "a.bmp")
    (tmp_path / "notes.txt").touch()
    images = Images(tmp_path, 6)
    assert [path.name for path in images.paths] == ["b.PNG", "a.bmp"]
    assert images.about == {"folder": str(tmp_path), "kind": tmp_path.name, "num": 2, "resolution": 6}
    assert (images[[0, 1]] == (10, 200, 30)).all() and images[[1]].shape == (1, 6, 6, 3)
    assert Images(tmp_path, 3)[[0]].shape == (1, 3, 3, 3)


def test_a_folder_without_images_or_size_is_refused(tmp_path):
    with pytest.raises(InputError, match="no data set and no images"):
        Images(tmp_path, 8)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="give their size with `resolution`"):
        Images(tmp_path)


DESCRIPTION = {
    "an array": lambda about: [about],
    "deep": lambda about: about | {"more": []},  # replaced by text below
    "num is negative": lambda about: about | {"num": -1},
    "num is true": lambda about: about | {"num": True},
    "num is enormous": lambda about: about | {"num": 10**12},
    "resolution is text": lambda about: about | {"resolution": "8"},
    "resolution is enormous": lambda about: about | {"resolution": 10**9},
    "no factors": lambda about: about | {"factors": []},
    "factors are names": lambda about: about | {"factors": ["size"]},
    "no versions": lambda about: {name: about[name] for name in about if name != "versions"},
    "no kind": lambda about: {name: about[name] for name in about if name != "kind"},
    "choices are numbers": lambda about: about | {"factors": [about["factors"][1] | {"choices": [1, 2]}]},
    "a choice stands twice": lambda about: about | {"factors": [about["factors"][1] | {"choices": ["a", "a"]}]},
    "two factors of one name": lambda about: about | {"factors": [about["factors"][0]] * 2},
    "no range": lambda about: about | {"factors": [about["factors"][0] | {"high": 1.0}]},
    "not a number": lambda about: about | {"factors": [about["factors"][0] | {"high": math.nan}]},
}


@pytest.mark.parametrize("kind", DESCRIPTION)
def test_a_description_is_checked(kind, finished):
    text = json.dumps(DESCRIPTION[kind](json.loads((finished / DATASET).read_text())))
    (finished / DATASET).write_text(text.replace("[]", "[" * 50_000 + "]" * 50_000) if kind == "deep" else text)
    for use in (Dataset.open, Images):
        with pytest.raises(InputError, match=r"dataset\.json: "):
            use(finished)
    with pytest.raises(InputError, match=r"dataset\.json: |it holds a data set with factors"):
        begin(finished, ABOUT, (SIZE, SHAPE), ROWS)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"2.0", b"nan", "row 1 has the size 'nan'"),
        (b"2.0", b"1e999", "row 1 has the size '1e999'"),
        (b"2.0", b"2.0\0", "not a table|does not fit"),
        (b"2.0", b"\xff", "not a table of factors"),
        (b"cube", b"x" * 200_000, "not a table of factors .field larger"),
        (b"\n2,", b"\n1,", "row 2 has the index '1'"),
        (b"2.0,cube", b"2.0", "row 1 has the shape None"),
    ],
)
def test_a_table_is_checked(old, new, words, finished):
    content = (finished / FACTORS).read_bytes()
    assert old in content
    (finished / FACTORS).write_bytes(content.replace(old, new))
    with pytest.raises(InputError, match=words):
        Dataset.open(finished)


def test_checksums_outside_the_folder_are_not_read(finished):
    lines = ["0  /etc/passwd", "0  ../other", f"0  {'a' * 300}", "0  a\0b", "no checksum"]
    (finished / CHECKSUMS).write_bytes("\n".join(lines).encode() + b"\n\xff")
    assert len(Dataset.open(finished).damaged()) == 6


def test_an_image_of_another_size_is_named(finished):
    write_image(finished / image_name(1), np.zeros((4, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r"000001\.png: 8 x 4 pixels, expected 8 x 8"):
        Dataset.open(finished).images()


@pytest.mark.parametrize("width", [10_000, 100_000])
def test_an_image_that_unpacks_to_gigabytes_is_refused(width, tmp_path):
    """The PNG is small: its header says how much it unpacks to, and nothing is unpacked."""
    size = struct.pack(">IIBBBBB", width, 20_000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", size), (b"IDAT", zlib.compress(bytes(1 << 20))), (b"IEND", b""))
    content = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    with pytest.raises(InputError, match=r"bomb\.png: .*(at most 8192 x 8192|decompression bomb)"):
        Images(tmp_path, 8)[[0]]


def test_programs_in_disguise_are_not_opened(tmp_path):
    (tmp_path / "a.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    with pytest.raises(InputError, match="not a readable image"):
        read_image(tmp_path / "a.png")


def test_pipes_and_folders_are_no_images(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    (tmp_path / "b.png").mkdir()
    with pytest.raises(InputError, match="no data set and no images"):
        Images(tmp_path, 8)
    for name, words in (("a.png", "not a file"), ("b.png", "a folder")):
        with pytest.raises(InputError, match=words):
            read_image(tmp_path / name)
