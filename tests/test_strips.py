"""Strips: what their frames show, how large their sheets become, and the file that holds them."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from direction_finder import edits
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import STRIPS
from direction_finder.images import to_uint8
from direction_finder.rendering import strips
from direction_finder.rendering.strips import BEYOND, FRAMES, SIDE, encoded, first_row, frames_along, positions_along
from direction_finder.reports.pages.strip_file import read_strips, save_strips
from tests.planted import planted


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


def pixels(sheet: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(sheet), formats=("WEBP",)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize("max_batch", [4, 32])
def test_a_frame_is_the_sample_moved_by_its_position(max_batch):
    generator = planted()
    direction, samples = Directions(torch.eye(8), "random")[2], generator.samples(2, seed=0)
    positions = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])
    images = frames_along(generator, direction, samples, positions, max_batch)
    assert images.shape == (2, 5, 4, 4, 3)
    for row, column in np.ndindex(2, 5):
        moved = edits.move(samples[row], direction, positions[column].item())
        assert np.abs(images[row, column].astype(int) - to_uint8(generator(moved))[0]).max() <= 1
    assert (images[0, 0] != images[0, 4]).any() and (images[0, 2] != images[1, 2]).any()


def test_positions_go_beyond_the_usable_range_which_is_one_of_them_as_is_0():
    known = Directions(torch.eye(3), "random", ranges=(4.0, None, None))
    positions = positions_along(known[0])
    assert len(positions) == FRAMES and positions[-1] == BEYOND * 4 and positions[FRAMES // 2] == 0
    assert any(abs(position - 4) < 1e-5 for position in positions) and torch.equal(positions, -positions.flip(0))
    assert positions_along(known[1])[-1] == 3


def test_a_sheet_has_samples_down_and_positions_across():
    colours = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    images = np.broadcast_to(colours[:, :, None, None, None], (2, 3, 16, 8, 3))
    strip = encoded(images, [-1.0, 0.0, 1.0], quality=100, room=0)
    assert (strip.size, strip.samples, strip.positions) == ((8, 16), 2, (-1.0, 0.0, 1.0))
    found = pixels(strip.sheet)
    assert found.shape == (32, 24, 3)
    assert np.abs(found[8::16, 4::8, 0] - colours).max() <= 3
    (row,) = [first_row(strip)]
    assert row.samples == 1 and np.abs(pixels(row.sheet)[8, 4::8, 0] - colours[0]).max() <= 8


def test_a_sheet_takes_the_room_that_it_has():
    images = noise(2, 5, 32, 32)
    best = encoded(images, [0.0] * 5, quality=None, room=1e6)
    sizes = [len(encoded(images, [0.0] * 5, quality=each, room=0).sheet) for each in strips.QUALITIES]
    assert len(best.sheet) == sizes[0] and sizes == sorted(sizes, reverse=True)
    assert len(encoded(images, [0.0] * 5, quality=None, room=sizes[2]).sheet) == sizes[2]
    small = encoded(images, [0.0] * 5, quality=None, room=sizes[-1] / 3)
    assert len(small.sheet) <= sizes[-1] / 3 and small.size[0] < 32
    assert encoded(images, [0.0] * 5, quality=None, room=0).size[0] <= 16  # and no endless loop


def test_large_frames_become_smaller_and_keep_their_shape():
    strip = encoded(noise(1, 2, 400, 200), [0.0, 1.0], quality=50, room=0)
    assert strip.size == (SIDE // 2, SIDE)
    many = encoded(noise(1, 300, 100, 100), [0.0] * 300, quality=5, room=0)
    assert many.size[0] * 300 <= strips.MOST


def written(folder, **changes):
    strip = encoded(noise(2, 3, 8, 8), [-1.0, 0.0, 1.0], quality=80, room=0)
    save_strips(folder, {3: strip, 1: strip}, {"seed": 0})
    path = folder / STRIPS
    if changes:
        from safetensors import safe_open
        from safetensors.torch import save_file

        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in ("1", "3")}
            about = json.loads(file.metadata()["direction_finder"])
        about |= changes
        save_file(tensors, path, {"direction_finder": json.dumps(about)})
    return path, strip


def test_a_file_of_strips_is_read_as_it_was_written(tmp_path):
    path, strip = written(tmp_path)
    assert read_strips(path) == ({3: strip, 1: strip}, {"seed": 0})
    assert list(read_strips(path)[0]) == [3, 1]  # best first
    before = path.read_bytes()
    written(tmp_path)
    assert path.read_bytes() == before


RECORD = {"direction": 1, "size": [8, 8], "samples": 2, "positions": [-1.0, 0.0, 1.0]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "samples"}, "no strips"),
        ({"strips": [{**RECORD, "direction": 2}]}, "has no strip of direction 2"),
        ({"strips": [{**RECORD, "size": [9, 8]}]}, "the strip of direction 1 is damaged"),
        ({"strips": [{**RECORD, "samples": 10**9}]}, "16383"),
        ({"strips": [{**RECORD, "positions": []}]}, "length >= 1"),
        ({"strips": None}, "expected array"),
    ],
)
def test_a_damaged_file_of_strips_is_one_line(changes, words, tmp_path):
    path, _ = written(tmp_path, **changes)
    with pytest.raises(InputError, match=words) as caught:
        read_strips(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_sheet_that_is_no_webp_is_damaged(tmp_path):
    strip = strips.Strip(b"RIFF....WEBPVP8 nothing", (8, 8), 1, (0.0,))
    save_strips(tmp_path, {0: strip}, {})
    with pytest.raises(InputError, match="the strip of direction 0 is damaged"):
        read_strips(tmp_path / STRIPS)
