"""The ranking in a run folder: read if it fits the directions, and refused in one line if it does not."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.metrics.ranking import Signal
from direction_finder.reports.ranking import Ranking
from direction_finder.runs.loading import short_list
from direction_finder.runs.ranks import check_rank, read_rank

DIRECTIONS = Directions(torch.eye(3), "random")
SIGNAL = {"values": [1.0, 2.0, 3.0], "chance": 0.5}
GOOD = {
    "directions_sha256": DIRECTIONS.sha256,
    "short_list": [2, 1],
    "order": [2, 1, 0],
    "signals": {"activeness": SIGNAL},
}


def written(folder: Path, report: object) -> Path:
    path = folder / "rank.json"
    path.write_text(report if isinstance(report, str) else json.dumps(report))
    return path


def test_what_rank_writes_is_read(tmp_path):
    signal = Signal("activeness", torch.tensor([3.0, 2.0, 1.0]), 0.5, ("a", "b", "c"))
    ranking = Ranking(DIRECTIONS, (signal,), [0, 1, 2], [0, 1], drift={"usual": 1.0}, compared_with=("other",))
    ranking.save(tmp_path / "rank.json")
    assert read_rank(tmp_path, DIRECTIONS) == json.loads(json.dumps(ranking.to_dict()))
    assert short_list(tmp_path, DIRECTIONS) == [0, 1]


@pytest.mark.parametrize(
    "report",
    [
        {name: GOOD[name] for name in ("directions_sha256", "short_list")},
        {**GOOD, "signals": {"activeness": {**SIGNAL, "where": []}}},
        {**GOOD, "drift": None, "with": [], "samples": 16, "hessians": 0, "seed": 0, "later": {"unknown": 1}},
        json.dumps({**GOOD, "signals": {"diagonal": {**SIGNAL, "chance": float("nan")}}}),  # of a flat generator
    ],
)
def test_rankings_of_other_versions_are_read(report, tmp_path):
    written(tmp_path, report)
    assert read_rank(tmp_path, DIRECTIONS)["short_list"] == [2, 1] == short_list(tmp_path, DIRECTIONS)


def test_there_is_none_without_a_file_or_of_other_directions(tmp_path):
    assert read_rank(tmp_path, DIRECTIONS) is None and short_list(tmp_path, DIRECTIONS) == []
    written(tmp_path, {**GOOD, "short_list": [7], "directions_sha256": "others"})
    assert read_rank(tmp_path, DIRECTIONS) is None and short_list(tmp_path, DIRECTIONS) == []


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("\0", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"directions_sha256": ' + "[" * 500 + "]" * 500 + "}", "more than 100 levels deep"),
        ([], "expected object, got array"),
        (3, "expected object, got int"),
        ({}, "missing required field directions_sha256"),
        ({"directions_sha256": DIRECTIONS.sha256}, "missing required field short_list"),
        ({**GOOD, "directions_sha256": None}, "expected str, got null, at directions_sha256"),
        ({**GOOD, "short_list": [99]}, "direction 99 in short_list, but there are 3"),
        ({**GOOD, "short_list": [3]}, "direction 3 in short_list, but there are 3"),
        ({**GOOD, "short_list": [-1]}, "expected int >= 0"),
        ({**GOOD, "short_list": [True]}, "expected int, got bool"),
        ({**GOOD, "short_list": [1e300]}, "expected int, got float"),
        ({**GOOD, "short_list": [1.5]}, "expected int, got float"),
        ({**GOOD, "short_list": ["1"]}, "expected int, got str"),
        ({**GOOD, "short_list": "12"}, "expected array, got str"),
        ({**GOOD, "short_list": [1, 1]}, "short_list names a direction twice"),
        ({**GOOD, "order": [0, 1]}, "order does not list each of 3 directions once"),
        ({**GOOD, "order": [0, 1, 1]}, "order does not list each of 3 directions once"),
        ({**GOOD, "signals": []}, "expected object, got array, at signals"),
        ({**GOOD, "signals": {"a": {"values": [1.0]}}}, "missing required field chance"),
        ({**GOOD, "signals": {"a": {**SIGNAL, "values": [1.0, 2.0]}}}, "a does not have one value for each of 3"),
        ({**GOOD, "signals": {"a": {**SIGNAL, "values": [1.0, 2.0, "3"]}}}, "expected float, got str"),
        ({**GOOD, "signals": {"a": {**SIGNAL, "where": ["z 0-1"]}}}, "a does not have one value for each of 3"),
        ({**GOOD, "drift": {"usual": "far"}}, "expected float, got str"),
    ],
)
def test_a_damaged_one_is_one_line_with_the_cure(report, words, tmp_path):
    path = written(tmp_path, report)
    for read in (read_rank, short_list):
        with pytest.raises(InputError, match=words) as caught:
            read(tmp_path, DIRECTIONS)
        line = str(caught.value)
        assert line.startswith(f"{path}: ") and line.endswith("; run `rank` again, or delete the file")
        assert "\n" not in line


def test_a_folder_or_pipe_of_that_name_is_one_line(tmp_path):
    (tmp_path / "rank.json").mkdir()
    with pytest.raises(InputError, match=r"rank.json: a folder; run `rank` again"):
        read_rank(tmp_path, DIRECTIONS)


def test_without_directions_its_parts_must_fit_one_another(tmp_path):
    assert check_rank(written(tmp_path, GOOD)) == GOOD
    assert check_rank(written(tmp_path, {**GOOD, "signals": {}, "short_list": [0]}))["short_list"] == [0]
    assert check_rank(written(tmp_path, {"directions_sha256": "", "short_list": [5]}))["short_list"] == [5]
    with pytest.raises(InputError, match="direction 3 in short_list, but there are 3"):
        check_rank(written(tmp_path, {**GOOD, "short_list": [3]}))


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@settings(derandomize=True, database=None, deadline=None, max_examples=200)
@given(st.sampled_from([*GOOD, "with", "drift"]), VALUES)
def test_whatever_it_holds_a_short_list_can_be_used(tmp_path_factory, name, value):
    folder = tmp_path_factory.getbasetemp()
    written(folder, {**GOOD, name: value})
    try:
        listed = short_list(folder, DIRECTIONS)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert len(DIRECTIONS[listed] if listed else ()) == len(listed) == len(set(listed))
