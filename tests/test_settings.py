"""Settings with limits, and ranges of numbers as text."""

import dataclasses
from typing import get_args

import numpy as np
import pytest

from direction_finder.discovery.configs import CONFIGS
from direction_finder.errors import InputError
from direction_finder.settings import MOST, check_number, check_options, number_range, option
from direction_finder.training.biggan_config import BigGANConfig
from direction_finder.training.progan_config import ProGANConfig


@pytest.mark.parametrize(
    ("text", "expected"), [("0-39", (0, 39)), ("7", (7, 7)), (" 3-3 ", (3, 3)), ("08-9", (8, 9)), ("10-120", (10, 120))]
)
def test_ranges(text, expected):
    assert number_range(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "7-",
        "-7",
        "-1-3",
        "3-1",
        "a-b",
        "1-b",
        "1 - 3",
        "1-2-3",
        "1.5",
        "²",
        "1-²",
        "²-3",
        "٣",
        "0-",
        "+1",
        "0-100000",
        "9" * 5000,
        "0-" + "9" * 5000,
    ],
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


@pytest.mark.parametrize("given", [{}, {"count": 1}, {"rate": 1e-9}, {"kind": "b"}, {"free": -1}])
def test_values_within_the_limits(given):
    assert dataclasses.asdict(Config(**given)).items() >= given.items()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"count": 0}, "count is 0: expected at least 1"),
        ({"count": float("nan")}, "count is nan: expected a whole number"),
        ({"rate": 0}, "rate is 0: expected a number above 0"),
        ({"rate": 1}, "rate is 1: expected a number below 1"),
        ({"rate": float("nan")}, "rate is nan: expected a finite number"),
        ({"kind": "c"}, "kind is 'c': expected one of a, b"),
    ],
)
def test_values_beyond_them_are_refused(given, words):
    with pytest.raises(InputError, match=words):
        Config(**given)


def test_a_field_has_its_help_text():
    (count, *_) = dataclasses.fields(Config)
    assert count.metadata["help"] == "At least one." and count.default is None


@dataclasses.dataclass(frozen=True)
class Kinds:
    whole: int = option(1, "At most MOST.")
    number: float = option(1.0, "At most MOST.")
    flag: bool = option(False, "A flag.")
    text: str = option("a", "A text.")
    several: tuple[str, ...] = option(("image",), "Names.")
    pair: tuple[int, int] | None = option(None, "First and last.")

    def __post_init__(self):
        check_options(self)


@pytest.mark.parametrize(
    "given",
    [{"whole": MOST}, {"number": 2}, {"number": -1e-3}, {"flag": True}, {"several": ("a", "b")}, {"pair": (0, 9)}],
)
def test_values_of_their_kind(given):
    assert dataclasses.asdict(Kinds(**given)).items() >= given.items()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"whole": 10**30}, "whole is 1000000000000000000000000000000: expected at most 1000000000"),
        ({"whole": -(10**30)}, "expected at least -1000000000"),
        ({"whole": "3"}, "whole is '3': expected a whole number of type int"),
        ({"whole": 2.5}, "whole is 2.5: expected a whole number"),
        ({"whole": True}, "whole is True: expected a whole number"),
        ({"whole": None}, "whole is None: expected a whole number"),
        ({"number": float("nan")}, "number is nan: expected a finite number"),
        ({"number": float("inf")}, "number is inf: expected a finite number"),
        ({"number": 1e300}, "expected at most 1000000000"),
        ({"number": "0.5"}, "number is '0.5': expected a number of type int or float"),
        ({"number": False}, "number is False: expected a number"),
        ({"flag": 1}, "flag is 1: expected True or False"),
        ({"text": 3}, "text is 3: expected a text"),
        ({"several": "image"}, "several is 'image': expected several names"),
        ({"several": ()}, "expected several names"),
        ({"several": (1,)}, "expected several names"),
        ({"pair": (0, 2.5)}, "expected two whole numbers"),
        ({"pair": (0, 1, 2)}, "expected two whole numbers"),
        ({"pair": 3}, "expected two whole numbers"),
    ],
)
def test_values_of_another_kind_are_refused(given, words):
    with pytest.raises(InputError) as refusal:
        Kinds(**given)
    assert words in str(refusal.value)


@pytest.mark.parametrize("config", [*CONFIGS.values(), BigGANConfig, ProGANConfig])
def test_every_number_of_every_method_is_finite_and_bounded(config):
    for field in dataclasses.fields(config):
        kinds = get_args(field.type) or (field.type,)
        if int in kinds[:1] or float in kinds[:1]:
            for value in (10**30, "3", True, float("nan"), float("inf")):
                with pytest.raises(InputError, match=f"{field.name} is"):
                    config(**{field.name: value})


def test_arguments_may_be_numbers_of_numpy():
    check_number("steps", np.int64(3), int, least=1)
    check_number("extent", np.float32(0.5), float, above=0)
    for value in (np.int64(0), np.float32(1), np.bool_(True), 10**30):
        with pytest.raises(InputError, match="steps is"):
            check_number("steps", value, int, least=1)
