"""Numbers in text: ASCII digits, finite, and nothing that only looks like a number."""

import pytest

from direction_finder.numerals import ordinal, real_number, whole_number

NONSENSE = [
    "",
    " ",
    "²",
    "٣",
    "१",
    "1_000",
    " 5 ",
    "5\n",
    "0x10",
    "1e3.5",
    "1,5",
    "--1",
    "one",
    "1 2",
    "+",
    "-",
    ".",
    "1.2.3",
]


@pytest.mark.parametrize("read", [ordinal, whole_number, real_number])
@pytest.mark.parametrize("text", NONSENSE)
def test_what_is_no_number(read, text):
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("-0", 0), ("+7", 7), ("-12", -12), ("007", 7), ("9" * 19, 10**19 - 1)]
)
def test_whole_numbers(text, number):
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["1.0", "1e3", "9" * 20, "9" * 5000])
def test_what_is_no_whole_number(text):
    assert whole_number(text) is None


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("12", 12), ("9" * 9, 10**9 - 1)])
def test_ordinals(text, number):
    assert ordinal(text) == number


@pytest.mark.parametrize("text", ["-1", "+1", "-0", "1.0", "9" * 10, "9" * 5000])
def test_what_is_no_ordinal(text):
    assert ordinal(text) is None


@pytest.mark.parametrize(
    ("text", "number"), [("2", 2.0), ("-.5", -0.5), ("1.", 1.0), ("1e-3", 0.001), ("+2E+2", 200.0), ("1e-999", 0.0)]
)
def test_real_numbers(text, number):
    assert real_number(text) == number


def test_zero_has_no_sign():
    assert str(real_number("-0")) == str(real_number("-0.0")) == "0.0"


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "NaN", "infinity", "1e999", "9" * 5000])
def test_what_is_not_finite(text):
    assert real_number(text) is None
