"""Settings with limits, and ranges of numbers as text."""

import dataclasses

import pytest

from direction_finder.errors import InputError
from direction_finder.settings import check_options, number_range, option


@pytest.mark.parametrize(
    ("text", "expected"), [("0-39", (0, 39)), ("7", (7, 7)), (" 3-3 ", (3, 3)), ("08-9", (8, 9)), ("10-120", (10, 120))]
)
def test_ranges(text, expected):
    assert number_range(text) == expected


@pytest.mark.parametrize(
    "text", ["", "-", "7-", "-7", "-1-3", "3-1", "a-b", "1-b", "1 - 3", "1-2-3", "1.5", "²", "1-²", "²-3"]
)
def test_what_is_no_range(text):
    assert number_range(text) is None


@dataclasses.dataclass(frozen=True)
class Config:
    count: int | None = option(None, "At least one.", least=1)
    rate: float = option(0.5, "Between.", above=0, below=1)
    kind: str = option("a", "One of two.", choices=("a", "b"))
    free: object = None

    def __post_init__(self):
        check_options(self)


@pytest.mark.parametrize("given", [{}, {"count": 1}, {"rate": 1e-9}, {"kind": "b"}, {"kind": None}, {"free": -1}])
def test_values_within_the_limits(given):
    assert dataclasses.asdict(Config(**given)).items() >= given.items()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"count": 0}, "count is 0: expected at least 1"),
        ({"count": float("nan")}, "count is nan: expected at least 1"),
        ({"rate": 0}, "rate is 0: expected a number above 0"),
        ({"rate": 1}, "rate is 1: expected a number below 1"),
        ({"rate": float("nan")}, "rate is nan: expected a number above 0"),
        ({"kind": "c"}, "kind is 'c': expected one of a, b"),
    ],
)
def test_values_beyond_them_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        Config(**given)


def test_a_field_has_its_help_text():
    (count, *_) = dataclasses.fields(Config)
    assert count.metadata["help"] == "At least one." and count.default is None
