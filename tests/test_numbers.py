"""The number of every option is parsed by one of two types."""

import click
import pytest

from direction_finder.commands.numbers import BATCH, COORDINATE, SEED, Number, Whole


def parsed(kind: click.ParamType, text: object) -> object:
    return kind.convert(text, None, None)


def test_numbers_within_their_limits():
    assert parsed(Whole(least=2, most=4), "2") == 2 and parsed(Whole(least=2, most=4), "+4") == 4
    assert parsed(Whole(least=2), 7) == 7  # a default
    assert parsed(Number(above=0), "1e-3") == 0.001 and parsed(Number(least=0, below=1), "0") == 0
    assert parsed(SEED, str(2**63 - 1)) == 2**63 - 1 and parsed(BATCH, "1") == 1 and parsed(COORDINATE, "-3.5") == -3.5


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (Whole(least=1), "0", "'0': expected at least 1"),
        (Whole(most=1024), "2147483648", "'2147483648': expected at most 1024"),
        (Whole(), "1.5", "'1.5': expected a whole number of at most 19 digits"),
        (Whole(), "²", "'²': expected a whole number"),
        (Whole(), " 5 ", "' 5 ': expected a whole number"),
        (Whole(), "9" * 5000, "expected a whole number of at most 19 digits"),
        (SEED, str(2**63), "expected at most 9223372036854775807"),
        (Number(above=0), "0", "'0': expected a number above 0"),
        (Number(above=0), "-0", "'-0': expected a number above 0"),
        (Number(below=1), "1", "'1': expected a number below 1"),
        (Number(), "1e300", "'1e300': expected at most 1000000000"),
        (Number(), "nan", "'nan': expected a finite number, e.g. 0.5"),
        (Number(), "inf", "'inf': expected a finite number"),
        (COORDINATE, "-1e7", "'-1e7': expected at least -1000000.0"),
    ],
)
def test_others_are_refused(kind, text, words):
    with pytest.raises(click.BadParameter) as refusal:
        parsed(kind, text)
    assert words in refusal.value.message
