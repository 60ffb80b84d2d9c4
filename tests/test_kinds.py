"""Reports of metrics as files: each must hold what the page, the table and `info` read of it."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from direction_finder.errors import InputError
from direction_finder.reports.measures import METRICS
from direction_finder.reports.measures.factor_metrics import labels
from direction_finder.reports.measures.kinds import KINDS, check_report, read_report, read_together
from direction_finder.reports.table import cells
from tests.test_ranks import VALUES

VALUE = {"value": 0.5, "low": 0.25, "high": 0.75}
DISTANCE = {"value": 2.0, "features": "x", "samples": 3, "seed": 0}
REPORTS = {
    "factors": {
        "factors": ["x", "y"], "effects": [[1.0, 0.5], [0.0, 2.0]], "names": ["x", None], "strongest": [1, 0],
        "shares": [["x", 0.8], ["y", 0.4]], "scores": {"overall": VALUE}, "class": "cube", "samples": 3,
    },
    "alignment": {"of": {"x": {"direction": 1, "spreads": {"x": dict.fromkeys(("before", "after", "kept"), VALUE)}}}},
    "diagonality": {
        **dict.fromkeys(("percent", "ratio", "percent_bending", "ratio_of_sums"), VALUE), "interactions": [[1.0]],
    },
    "share": {**VALUE, "random": VALUE, "samples": 3},
    "activeness": {"of": [VALUE, VALUE], "active": 1, "samples": 3, "direction_names": ["x", None]},
    "paths": {"of": [VALUE], "features": "x"},
    "ppl": {**DISTANCE, "low": 1.0, "high": 3.0, "place": "end"},
    "fid": {**DISTANCE, "real": {"kind": "shapes"}},
    "kid": {**DISTANCE, "low": -1.0, "high": 3.0},
    "fidelity": {"frechet": {"generated": 1.0, "other renders": 0.5}, "features": "x", "asked": {"cube": 1.0}},
}  # fmt: skip


def shown(report: dict, name: str) -> list:
    """All that is shown of a report that was read."""
    texts = [cell.text for cell in cells({name: report})]
    return texts + (labels(report, report["strongest"]) if name == "factors" else [])


def test_every_metric_has_a_kind():
    assert KINDS.keys() == METRICS.keys() == REPORTS.keys()


@pytest.mark.parametrize("name", REPORTS)
def test_a_whole_report_is_read_as_it_is(name, tmp_path):
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(REPORTS[name]))
    assert read_report(path) == REPORTS[name] and (shown(read_report(path), name) or name == "alignment")


@pytest.mark.parametrize("name", REPORTS)
def test_what_is_measured_is_of_its_kind(name, tmp_path):
    """NaN too, which some metrics of generators that always render the same image are."""
    text = json.dumps(REPORTS[name]).replace("0.5", "NaN").replace("2.0", "NaN")
    (tmp_path / f"{name}.json").write_text(text)
    assert "NaN" in text and read_report(tmp_path / f"{name}.json")


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("factors", {"effects": [[1.0], [0.0]]}, "effects do not have one number for each of 2 factors"),
        ("factors", {"names": ["x"]}, "names and shares are not those of 2 directions"),
        ("factors", {"shares": [["x", 0.8]]}, "names and shares are not those of 2 directions"),
        ("factors", {"shares": [["x", 0.8], ["y"]]}, "expected array of length 2, got 1"),
        ("factors", {"shares": [["x", 0.8], ["y", "0.4"]]}, "expected float, got str"),
        ("factors", {"strongest": [1, 99]}, "strongest does not list each of 2 directions once"),
        ("factors", {"strongest": [-1, 0]}, "expected int >= 0"),
        ("factors", {"strongest": [True, 0]}, "expected int, got bool"),
        ("factors", {"strongest": [1e300, 0]}, "expected int, got float"),
        ("factors", {"scores": {"overall": {"value": 1.0}}}, "missing required field low"),
        ("factors", {"scores": [VALUE]}, "expected object, got array"),
        ("activeness", {"of": []}, "expected array of length >= 1"),
        ("activeness", {"active": 3}, "3 of 2 directions are active"),
        ("activeness", {"active": "all"}, "expected int, got str"),
        ("paths", {"of": []}, "expected array of length >= 1"),
        ("kid", {"low": None}, "expected float, got null"),
        ("fid", {"value": "1"}, "expected float, got str"),
        ("fid", {"low": 1.0}, "one end of the interval is missing"),
        ("fidelity", {"frechet": {}}, "missing required field generated"),
        ("share", {"value": 10**400}, "number out of range"),
        ("alignment", {"of": {"x": {"direction": 1}}}, "missing required field spreads"),
        ("diagonality", {"percent": None}, "expected object, got null"),
    ],
)
def test_a_report_that_contradicts_itself_is_one_line(name, changes, words):
    with pytest.raises(InputError, match=rf"^source: .*{words}") as caught:
        check_report(name, {**REPORTS[name], **changes}, "source")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "null", "[]", "3", "\0", "{}", "[" * 9999, '{"of": ' + "[" * 300])
def test_files_that_are_no_reports_are_one_line_with_the_cure(content, tmp_path):
    path = tmp_path / "activeness.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"; run `measure` again, or delete the file$") as caught:
        read_report(path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{path}: ")


def test_reports_of_several_targets(tmp_path: Path):
    path = tmp_path / "measures.json"
    path.write_text(json.dumps({"a": REPORTS, "b": {}, "c": {"later": 1}}))
    assert read_together(path).keys() == {"a", "b", "c"}
    path.write_text(json.dumps({"a": {**REPORTS, "fid": {}}}))
    with pytest.raises(InputError, match=r"measures.json: fid of a: object missing required field value"):
        read_together(path)


def places(value: object, path: tuple = ()) -> list[tuple]:
    """The paths of everything within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in places(each, (*path, key)))]


@settings(derandomize=True, database=None, deadline=None, max_examples=400)
@given(st.sampled_from(list(REPORTS)), st.data(), VALUES)
def test_whatever_is_changed_it_is_shown_or_refused(name, data, value):
    report = copy.deepcopy(REPORTS[name])
    *way, last = data.draw(st.sampled_from(places(report)[1:]))
    inside = report
    for key in way:
        inside = inside[key]
    if data.draw(st.booleans()):
        inside[last] = value
    else:
        del inside[last]
    try:
        checked = check_report(name, report, "source")
    except InputError as error:
        assert "\n" not in str(error)
    else:
        shown(checked, name)
