"""The layouts of a sheet, read off images of one colour each."""

import pytest
import torch

from direction_finder.errors import InputError
from direction_finder.rendering import layouts
from direction_finder.rendering.drawing import Walk
from direction_finder.rendering.layouts import render_sheet
from direction_finder.samples import Samples
from tests.flat import bytes_of, channels, colours, flat

A, B = [0.5, -0.5, 0.0], [-1.0, 0.25, 1.0]
ONE = Walk(extent=1.0)


@pytest.fixture
def samples():
    return Samples(torch.tensor([[A], [B]]), torch.tensor([0, 1]))


def moved(z, *by):
    return [a + b for a, b in zip(z, by, strict=True)]


def test_blocks_are_a_section_for_each_direction(samples):
    drawing = render_sheet(flat(), channels()["red", "blue"], samples, ONE, steps=3)
    rows = list(drawing.rows())
    assert [row.title for row in rows] == ["direction 0: red", "", "direction 2: blue  (score 0.5)", ""]
    assert [row.label for row in rows] == ["sample 0", "sample 1"] * 2 == drawing.labels * 2
    assert drawing.columns == ["-1", "0", "+1"] and drawing.count == len(rows) == 4 and not drawing.notes
    assert colours(rows[0].images) == bytes_of(*(moved(A, by, 0, 0) for by in (-1, 0, 1)))
    assert colours(rows[3].images) == bytes_of(*(moved(B, 0, 0, by) for by in (-1, 0, 1)))


def test_directions_that_reach_further_say_so(samples):
    drawing = render_sheet(flat(), channels()[[1, 0]], samples[0], Walk(), steps=3)
    rows = list(drawing.rows())
    assert [row.title for row in rows] == ["direction 1  (extent 3)", "direction 0: red  (extent 2)"]
    assert drawing.columns == ["-1", "0", "+1"]  # in extents
    assert colours(rows[0].images) == bytes_of(*(moved(A, 0, by, 0) for by in (-3, 0, 3)))
    assert colours(rows[1].images) == bytes_of(*(moved(A, by, 0, 0) for by in (-2, 0, 2)))


def test_coordinates_may_be_set(samples):
    drawing = render_sheet(flat(), channels()[[1]], samples[1], Walk(1.0, absolute=True), steps=2)
    (row,) = drawing.rows()
    assert colours(row.images) == bytes_of([-1, -1, 1], [-1, 1, 1])


@pytest.mark.parametrize(
    ("steps", "absolute", "columns"),
    [(3, False, ["-1", "0", "+1"]), (3, True, ["+1", "+2", "+3"]), (2, False, ["+1", "+2"])],
)
def test_even_steps_stand_in_the_titles(steps, absolute, columns, samples, monkeypatch):
    places = torch.tensor([-1.5, 0.0, 0.5])[:steps]
    asked = []

    def evenly(generator, directions, own, walk, count, *, around_zero, on_step):
        asked.append((count, around_zero))
        return [places] * len(directions), ["even enough"] * len(directions)

    monkeypatch.setattr(layouts, "evenly", evenly)
    drawing = render_sheet(flat(), channels()[:1], samples[0], Walk(even=True, absolute=absolute), steps=steps)
    (row,) = drawing.rows()
    listed = " ".join(["-1.5", "0", "+0.5"][:steps])
    assert row.title == f"direction 0: red  (extent 2)  at {listed}" and drawing.columns == columns
    assert drawing.notes == ("even enough",) and asked == [(steps, not absolute)]
    start = 0 if absolute else A[0]
    assert colours(row.images) == bytes_of(*([start + by, *A[1:]] for by in places.tolist()))


def test_an_overview_has_a_column_for_each_direction(samples):
    drawing = render_sheet(flat(), channels()[[2, 1, 0]], samples, Walk(), layout="overview")
    rows = list(drawing.rows())
    assert drawing.columns == ["original", "blue", "1", "red"] and drawing.count == 2
    assert [(row.label, row.title) for row in rows] == [("sample 0", ""), ("sample 1", "")]
    assert colours(rows[1].images) == bytes_of(B, moved(B, 0, 0, 3), moved(B, 0, 3, 0), moved(B, 2, 0, 0))


def test_a_pair_goes_across_and_down(samples):
    drawing = render_sheet(flat(), channels()[[2, 0]], samples, Walk(), layout="pair", steps=3)
    rows = list(drawing.rows())
    assert (drawing.columns, drawing.labels) == (["-3", "0", "+3"], ["-2", "0", "+2"])
    assert drawing.count == len(rows) == 6
    assert rows[0].title == "sample 0: direction 2: blue  (score 0.5) across, direction 0: red down"
    assert [row.title[:8] for row in rows] == ["sample 0", "", "", "sample 1", "", ""]
    assert [row.label for row in rows] == drawing.labels * 2
    assert colours(rows[5].images) == bytes_of(*(moved(B, 2, 0, by) for by in (-3, 0, 3)))


def test_each_sample_is_drawn_as_its_class(samples):
    generator = flat(num_classes=2)
    for layout, of in (("blocks", channels()[:1]), ("overview", channels()[:1]), ("pair", channels()[:2])):
        *_, last = render_sheet(generator, of, samples, ONE, layout=layout, steps=3).rows()
        darker = [channel - 2 for channel in B]
        middle = {"blocks": (1, darker), "overview": (0, darker), "pair": (1, moved(darker, 0, 1, 0))}
        place, expected = middle[layout]
        assert colours(last.images)[place] == bytes_of(expected)[0], layout


@pytest.mark.parametrize("layout", layouts.LAYOUTS)
def test_rows_are_drawn_when_they_are_asked_for(layout, samples):
    generator, calls = flat(), []
    generator.register_forward_pre_hook(lambda *_: calls.append(1))
    rows = render_sheet(generator, channels()[:2], samples, ONE, layout=layout, steps=2).rows()
    assert not calls
    next(rows)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"layout": "circle"}, "layout 'circle': expected blocks, overview, pair"),
        ({"layout": "pair"}, "layout pair takes two directions, got 3"),
        ({"steps": 1}, "steps is 1: expected at least 2"),
        ({"walk": Walk(even=True), "layout": "overview"}, "`even` is for layout blocks, not overview"),
    ],
)
def test_what_cannot_be_laid_out_is_refused(given, words, samples):
    with pytest.raises(InputError, match=words):
        render_sheet(flat(), channels(), samples, **{"walk": ONE, **given})
