"""Labelled sheets: in memory, on disk, in a notebook; drawn a row at a time, and only when asked for."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from direction_finder.errors import InputError
from direction_finder.images import MADE_KEY, Row
from direction_finder.rendering.sheets import Sheet

COLUMNS, LABELS = ["a", "b"], ["short", "much longer"]


@pytest.fixture
def drawn():
    """The numbers of the rows that were drawn."""
    return []


@pytest.fixture
def sheet(drawn):
    def rows():
        for number, name in enumerate(LABELS):
            drawn.append(number)
            yield Row(name, np.full((2, 20, 20, 3), 50 * number, np.uint8), "title" if not number else "")

    return Sheet(rows, COLUMNS, LABELS, 2, ("a note",))


def test_nothing_is_drawn_before_it_is_asked_for(sheet, drawn):
    assert drawn == [] and sheet.notes == ("a note",)
    sheet.image()
    assert drawn == [0, 1]
    sheet.image()
    assert drawn == [0, 1, 0, 1]


def test_on_disk_and_in_a_notebook_it_is_the_same_image(sheet, tmp_path):
    pixels = np.asarray(sheet.image())
    left = pixels.shape[1] - 2 * 24
    assert (pixels[-4 - 20 : -4, left : left + 20] == 50).all() and left > 70  # wide enough for the longer label
    sheet.save(tmp_path / "a.png", {"seed": 1})
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), pixels) and json.loads(image.text[MADE_KEY]) == {"seed": 1}
    with Image.open(io.BytesIO(sheet._repr_png_())) as image:
        assert image.format == "PNG" and np.array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("to_file", [True, False])
def test_each_row_is_reported_before_the_next_is_drawn(sheet, drawn, tmp_path, to_file):
    seen = []

    def on_step(progress):
        seen.append((progress.step, progress.total, progress.phase, progress.unit, len(drawn)))

    if to_file:
        sheet.save(tmp_path / "a.png", on_step=on_step)
    else:
        sheet.image(on_step)
    phase = "a.png" if to_file else "rendering"
    assert seen == [(1, 2, phase, "row", 1), (2, 2, phase, "row", 2)]


def test_a_sheet_without_rows_is_refused(tmp_path):
    empty = Sheet(lambda: iter(()), [], [], 0)
    for draw in (empty.image, lambda: empty.save(tmp_path / "a.png")):
        with pytest.raises(InputError, match="at least one row"):
            draw()
    assert not list(tmp_path.iterdir())
