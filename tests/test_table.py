"""Reports as a table: arrows at what has a better way, and bold where there is something to be better than."""

import pytest

from direction_finder.reports.measures.measurement import Quantity
from direction_finder.reports.table import COLUMNS, cells, table
from direction_finder.settings import METRICS


def fid(value: float) -> dict:
    return {"fid": {"value": value, "features": "inception-v3"}}


def activeness(active: int) -> dict:
    return {"activeness": {"active": active, "of": [{"value": 1.0, "low": 1.0, "high": 1.0}] * 6, "samples": 2}}


def share(value: float) -> dict:
    return {"share": {"value": value, "low": value - 0.1, "high": value + 0.1}}


def rows(text: str) -> list[list[str]]:
    """The cells of each line, without the line below the headings."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert set(lines.pop(1)) == {"---"} and len({len(line) for line in lines}) == 1
    return lines


def test_the_best_of_several_is_bold_in_the_direction_that_is_better():
    given = {"a": {**fid(3.0), **share(0.2)}, "b": {**fid(2.0), **share(0.5)}}
    head, first, second = rows(table(given))
    assert head == ["", "FID (inception-v3) ↓", "diagonal share ↑"]
    assert first == ["a", "3", "0.200 [0.100, 0.300]"]
    assert second == ["b", "**2**", "**0.500 [0.400, 0.600]**"]


def test_a_single_row_has_nothing_to_be_better_than():
    head, only = rows(table({"a": {**fid(3.0), **share(0.2)}}))
    assert head[1:] == ["FID (inception-v3) ↓", "diagonal share ↑"] and "**" not in "".join(only)


def test_where_no_way_is_better_there_is_no_arrow_and_nothing_is_bold():
    head, *others = rows(table({"a": activeness(2), "b": activeness(5)}))
    assert head == ["", "active"] and others == [["a", "2 of 6"], ["b", "5 of 6"]]


def test_equals_are_bold_together():
    _, *others = rows(table({name: fid(2.0) for name in ("a", "b")} | {"c": fid(4.0)}))
    assert [row[1] for row in others] == ["**2**", "**2**", "4"]


def test_what_a_target_lacks_is_left_empty():
    head, first, second = rows(table({"a": fid(2.0), "b": activeness(3)}))
    assert head[1:] == ["FID (inception-v3) ↓", "active"]
    assert first[2] == "" and second[1] == "" and second[2] == "3 of 6"


def test_columns_stand_in_one_order_whatever_was_measured_first():
    found = [cell.quantity for cell in cells({**activeness(1), **share(0.1), **fid(1.0)})]
    assert [quantity.title for quantity in found] == ["FID (inception-v3)", "diagonal share", "active"]
    assert all(isinstance(quantity, Quantity) for quantity in found)
    assert set(METRICS) - set(COLUMNS) == {"alignment"}  # which has no figure for a table


@pytest.mark.parametrize("reports", [{}, {"alignment": {}}])
def test_nothing_measured_is_no_column(reports):
    assert rows(table({"a": reports})) == [[""], ["a"]]
