"""Data sets of images on disk: written, opened, resumed, damaged; and folders of any images."""

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
        (FACTORS, "1,2.0,cube\n", "", "not have one row for each of 3"),
        (FACTORS, "cube", "cone", "do not fit together"),
        (FACTORS, "2.0", "large", "do not fit together"),
        (FACTORS, "index,size", "index,width", "do not fit together"),
        (DATASET, '"choices"', '"options"', "do not fit together"),
        (DATASET, '"num"', '"count"', "do not fit together"),
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
    with pytest.raises(InputError, match=r"a\.png: not a readable image"):
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
