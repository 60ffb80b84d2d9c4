"""One function for each kind of image: what they take, and that they report."""

import numpy as np
import pytest
import torch
from PIL import Image

from direction_finder.rendering import Sheet, Video, align_sheet, compare, grid, video
from direction_finder.rendering.alignment import aligned, compared
from direction_finder.rendering.drawing import Walk
from direction_finder.rendering.layouts import render_sheet
from direction_finder.rendering.videos import render_video
from direction_finder.samples import Samples
from tests.flat import channels, flat


@pytest.fixture
def samples():
    return Samples(torch.tensor([[[0.5, -0.5, 0.0]], [[-1.0, 0.25, 1.0]]]), torch.tensor([0, 0]))


def same(image, drawing: Sheet) -> bool:
    return isinstance(image, Image.Image) and np.array_equal(np.asarray(image), np.asarray(drawing.image()))


def test_a_grid_takes_a_direction_some_or_a_record(samples):
    generator, record = flat(), channels()
    one, two = (render_sheet(generator, list(record[:number]), samples, Walk(), steps=7) for number in (1, 2))
    assert same(grid(generator, record["red"], samples), one) and same(grid(generator, record[:1], samples), one)
    assert same(grid(generator, record[:2], samples), two) and same(grid(generator, [*record][:2], samples), two)
    assert not same(grid(generator, record[1], samples), one)


def test_settings_reach_the_drawing(samples):
    generator, record = flat(), channels()
    walk = Walk(1.5, absolute=True, max_batch=1)
    given = {"extent": 1.5, "absolute": True, "max_batch": 1}
    expected = render_sheet(generator, list(record[:2]), samples, walk, layout="pair", steps=3)
    assert same(grid(generator, record[:2], samples, layout="pair", steps=3, **given), expected)
    filmed = render_video(generator, list(record), samples, walk, seconds=0.2, fps=10, rows=2)
    found = video(generator, record, samples, seconds=0.2, fps=10, rows=2, **given)
    assert isinstance(found, Video) and (len(found), found.fps) == (4, 10)
    assert all(np.array_equal(*pair) for pair in zip(found, filmed, strict=True))


def test_a_grid_reports_its_rows_and_a_film_nothing_before_it_is_drawn(samples):
    seen = []
    grid(flat(), channels(), samples, steps=2, progress=seen.append)
    assert [each.step for each in seen] == [1, 2, 3, 4, 5, 6] and seen[-1].total == 6
    seen.clear()
    video(flat(), channels(), samples, progress=seen.append)
    assert not seen


def test_alignments_and_comparisons(samples):
    generator, red = flat(), channels()["red"]
    assert same(align_sheet(generator, red, samples, [1.0]), aligned(generator, red, samples, [1.0]))
    assert same(align_sheet(generator, red, samples), aligned(generator, red, samples))
    versions = {"as it is": samples, "edited": samples.with_latents(-samples.latents)}
    expected = compared(generator, versions, ["", "mirrored"])
    assert same(compare(generator, versions, title="mirrored"), expected)
    assert not same(compare(generator, versions), expected)


def test_names_of_the_room_are_those_of_its_modules():
    import direction_finder as df
    from direction_finder import rendering

    assert sorted(rendering.__all__) == dir(rendering)
    assert all(getattr(rendering, name) is getattr(df, name) for name in rendering.__all__ if name != "Sheet")
