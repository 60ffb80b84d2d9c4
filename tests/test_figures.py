"""Figures: on the axes that are given or on new ones; the same bytes every time."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from direction_finder.figures import bars, curves, draw_bars, draw_curve, draw_heat_map, heat_map, penalty_maps

VALUES = np.array([[0.0, 1.0], [0.25, 0.75]])
MATRIX = {"rows": ["a", "b"], "columns": ["x", "y"], "title": "effects", "unit": "share"}


def texts(axes):
    return {(each.get_position(), each.get_text()): each.get_color() for each in axes.texts}


DRAWN = {
    "heat map": lambda ax: draw_heat_map(ax, VALUES, **MATRIX),
    "bars": lambda ax: draw_bars(ax, [1, 2], title="effects"),
    "curve": lambda ax: draw_curve([1, 2], [3.0, 4.0], "effects", ax=ax),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_axes_are_those_given_or_new(draw):
    given = Figure().subplots()
    assert draw(given) is given
    new = draw(None)
    assert new is not given and new.figure is not given.figure
    assert "effects" in {new.get_title(), new.get_title(loc="left")}


def test_a_heat_map_writes_each_number_where_it_can_be_read():
    axes = draw_heat_map(None, VALUES, **MATRIX)
    assert texts(axes) == {
        ((0, 0), "0.00"): "black",
        ((1, 0), "1.00"): "white",  # on a dark cell
        ((0, 1), "0.25"): "black",
        ((1, 1), "0.75"): "white",
    }
    assert [each.get_text() for each in axes.get_xticklabels()] == ["x", "y"]
    assert [each.get_text() for each in axes.get_yticklabels()] == ["a", "b"]
    colour_bar = axes.figure.axes[1]
    assert colour_bar.get_ylabel() == "share"
    assert draw_heat_map(None, VALUES + 1, **MATRIX).images[0].get_clim() == (0, 2)  # from 0 whatever is smallest


def test_bars_are_in_order_and_paler_below_the_line():
    axes = draw_bars(None, [1.0, 4.0, 2.0], title="", unit="variance", line=0.5)
    assert [each.get_height() for each in axes.patches] == [4, 2, 1]
    assert axes.patches[0].get_facecolor() == to_rgba("tab:blue")
    assert {each.get_facecolor() for each in axes.patches[1:]} == {to_rgba("lightsteelblue")}
    (line,) = axes.lines
    assert set(line.get_ydata()) == {2.0} and axes.get_ylabel() == "variance"
    assert not draw_bars(None, [1.0, 4.0], title="").lines


def test_a_curve_shows_means_over_windows_of_what_there_is():
    across = np.arange(1000)
    values = np.where(across % 2 == 0, across, np.nan)
    (line,) = draw_curve(across, values, "loss").lines
    x, y = line.get_data()
    assert len(x) == 200 and np.array_equal(x, y) and np.isfinite(y).all()
    assert x[0] == np.mean([0, 2, 4]) and x[-1] == np.mean([996, 998])
    (line,) = draw_curve([1, 2, 3], [np.nan, 5.0, 6.0], "loss").lines
    assert line.get_xydata().tolist() == [[2, 5], [3, 6]]
    (line,) = draw_curve([1, 2], [np.nan, np.nan], "loss").lines
    assert len(line.get_xdata()) == 0


def panels(path):
    curves(path, "kimg", {"kimg": [1, 2, 3], "loss": [3, 1, 2], "rate": [1, 1, 1]}, title="run")


WRITTEN = {
    "heat map": lambda path: heat_map(path, VALUES, **MATRIX),
    "bars": lambda path: bars(path, {"a": [1, 2], "b": [3]}, title="", unit=""),
    "curves": panels,
}


@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
def test_files_are_the_same_every_time(write, tmp_path):
    for name in ("a.png", "b.png"):
        write(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg", "b.png", "b.svg"]
    for ending in ("png", "svg"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_only_what_varies_has_a_panel(tmp_path):
    panels(tmp_path / "a.png")
    drawn = (tmp_path / "a.svg").read_text()
    assert "loss" in drawn and "rate" not in drawn
    assert curves(tmp_path / "b.png", "kimg", {"kimg": [1, 2], "rate": [1, 1]}, title="run") == []
    assert not (tmp_path / "b.png").exists()


def test_penalty_maps_mark_the_largest_penalty(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr("direction_finder.figures._write", lambda figure, path: figures.append(figure) or [path])
    penalties = np.zeros((2, 4, 5))
    penalties[0, 1, 3], penalties[1, 2, 0] = 2, 1
    hessians = np.stack([np.eye(3), 5 * np.eye(3)])
    penalty_maps(tmp_path / "a.png", np.zeros((2, 4, 5, 3), np.uint8), penalties, hessians, title="run")
    panels = np.array(figures[0].axes[:6]).reshape(3, 2)
    marks = [tuple(np.ravel(each.lines[0].get_data())) for each in panels[1]]
    assert marks == [(3, 1), (0, 2)]
    for maps, top in ((panels[1], 2), (panels[2], 5)):
        assert {each.images[-1].get_clim() for each in maps} == {(0, top)}  # one scale
