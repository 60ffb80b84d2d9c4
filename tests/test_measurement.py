"""What a measure gives, as a value: it prints, plots, saves, and knows which way is better."""

import json
import math
from collections.abc import Iterator

import numpy as np
import pytest

from direction_finder.errors import InputError
from direction_finder.metrics.intervals import Value
from direction_finder.reports.measures import METRICS
from direction_finder.reports.measures.measurement import Cell, Measurement, Metric, Quantity, interval
from direction_finder.reports.measures.raw import Layout, Raw

HIGH, LOW, NEITHER = Quantity("sharpness", "higher", 0, 1), Quantity("distance", "lower"), Quantity("count", None, None)
REPORT = {"value": 0.25, "low": 0.125, "high": 0.5, "count": 3}


def lines(report, about) -> Iterator[str]:
    yield f"  {about}:"
    yield f"  {report['count']}"


def cells(report) -> Iterator[Cell]:
    yield interval(HIGH, report)
    yield Cell(NEITHER, report["count"], "three & more")


def a_measurement(report: dict = REPORT, **given) -> Measurement:
    layout = Layout("made-up", dict, {"values": ("samples",)})
    metric = Metric("made-up", layout, lambda task: Raw({}), lambda raw: REPORT, lines, cells, **given)
    return Measurement(metric, report, "random <b> in x")


@pytest.mark.parametrize(
    ("quantity", "heading", "best"),
    [(HIGH, "sharpness ↑", 3.0), (LOW, "distance ↓", 1.0), (NEITHER, "count", None)],
)
def test_a_quantity_knows_which_way_is_better(quantity, heading, best):
    assert quantity.heading == heading and quantity.best([2.0, 3.0, 1.0]) == best


def test_an_interval_is_in_the_units_that_are_shown():
    cell = interval(Quantity("D%", "higher", 0, 100, factor=100), REPORT)
    assert cell.value == 25 and cell.text == str(Value(25.0, 12.5, 50.0)) and cell.quantity.high == 100


def test_it_prints_its_lines_and_is_shown_in_a_notebook():
    found = a_measurement()
    assert str(found) == "  random <b> in x:\n  3" and repr(found) == "<Measurement made-up of random <b> in x>"
    page = found._repr_html_()
    assert page.startswith("<table><caption>made-up of random &lt;b&gt; in x</caption>")
    assert page.count("<tr>") == 2 and "<td>sharpness ↑</td><td>0.250 [0.125, 0.500]</td>" in page


def test_its_figures_have_names_and_bounds():
    found = a_measurement()
    assert found.values == {"sharpness": 0.25, "count": 3} and found.quantities == (HIGH, NEITHER)


def test_it_is_plain_values_which_are_a_copy(tmp_path):
    found = a_measurement({**REPORT, "of": ({"a": 1},), "none": None})
    plain = found.to_dict()
    assert plain["of"] == [{"a": 1}]
    plain["of"][0]["a"] = 2
    assert found.report["of"][0]["a"] == 1
    found.save(tmp_path / "deep" / "made-up.json")
    assert json.loads((tmp_path / "deep" / "made-up.json").read_text()) == found.to_dict()


def test_it_is_drawn_by_its_metric_if_that_can(tmp_path):
    drawn = []
    found = a_measurement(plot=lambda *given: drawn.append(given) or "axes")
    assert found.plot("ax") == "axes" and drawn == [(REPORT, "random <b> in x", "ax")]
    with pytest.raises(InputError, match=r"^made-up is a number: it has no plot; print it$"):
        a_measurement().plot()


def test_raw_measurements_that_are_not_there_are_not_saved(tmp_path):
    with pytest.raises(InputError, match=r"^made-up of random <b> in x: there are no raw measurements to save$"):
        a_measurement().save_raw(tmp_path / "raw.safetensors")


def reports() -> dict[str, dict]:
    """A report of every metric with figures, at the ends of its bounds."""
    one, part = {"value": 1.0, "low": 0.0, "high": 1.0}, {"value": 0.5, "low": 0.25, "high": 1.0}
    distance = {"value": 2.0, "features": "x", "samples": 3}
    return {
        "factors": {"scores": {"disentanglement": one}},
        "diagonality": dict.fromkeys(("percent", "ratio", "percent_bending", "ratio_of_sums"), one),
        "share": part,
        "activeness": {"active": 1, "of": [part]},
        "paths": {"of": [part, one], "features": "x"},
        "ppl": distance,
        "fid": distance,
        "kid": {**distance, "value": -0.5, "low": -1.0, "high": 0.0},
        "fidelity": {"frechet": {"generated": 1.0}, "features": "x"},
    }


@pytest.mark.parametrize("name", [name for name in METRICS if name != "alignment"])
def test_figures_of_every_metric_lie_in_their_bounds(name):
    found = list(METRICS[name].cells(reports()[name]))
    assert found
    for quantity, value, text in found:
        low, high = (
            default if end is None else end for end, default in ((quantity.low, -math.inf), (quantity.high, math.inf))
        )
        assert low <= value <= high and text and np.isfinite(value)


def test_what_is_better_is_what_papers_say():
    ways = {name: {cell.quantity.better for cell in METRICS[name].cells(report)} for name, report in reports().items()}
    assert {name for name, way in ways.items() if way == {"lower"}} == {"ppl", "fid", "kid", "fidelity"}
    assert {name for name, way in ways.items() if way == {"higher"}} == {"factors", "diagonality", "share"}
    assert {name for name, metric in METRICS.items() if not metric.of_directions} == {"ppl", "fid", "kid", "fidelity"}
    assert {name for name, metric in METRICS.items() if metric.network} == {"factors", "alignment", "fidelity"}
