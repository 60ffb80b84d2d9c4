"""Parse the numbers of all options."""

import os
import re
from pathlib import Path
from typing import Any

import click

from direction_finder.commands.option_values import Coordinate
from direction_finder.numerals import real_number, whole_number
from direction_finder.settings import FARTHEST, MOST_ROWS, MOST_SEED, flaw, number_range


class _Numeric(click.ParamType):
    """Parse a number within limits, which are those of `settings.flaw`."""

    kind: type
    expected: str

    def __init__(self, **limits: float):
        self.limits = limits

    def read(self, text: str) -> float | None:
        """Return the number that a text is; None if it is no number of this kind."""
        raise NotImplementedError

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        number = self.read(value) if isinstance(value, str) else value
        expected = self.expected if number is None else flaw(number, self.kind, **self.limits)
        if expected:
            self.fail(f"{value!r}: expected {expected}", param, ctx)
        return number


class Whole(_Numeric):
    """Parse a whole number."""

    name, kind, expected = "integer", int, "a whole number of at most 19 digits"

    def read(self, text: str) -> int | None:
        """Return the number that a text is; None if it is not a whole number."""
        return whole_number(text)


class Number(_Numeric):
    """Parse a finite number."""

    name, kind, expected = "number", float, "a finite number, e.g. 0.5"

    def read(self, text: str) -> float | None:
        """Return the number that a text is; None if it is not a finite number."""
        return real_number(text)


SEED, BATCH = Whole(least=0, most=MOST_SEED), Whole(least=1, most=MOST_ROWS)
COORDINATE, PERCENT = Number(least=-FARTHEST, most=FARTHEST), Number(least=0, most=100)


class NumberRange(click.ParamType):
    """Parse a range like 0-39, see `number_range`."""

    name = "FIRST-LAST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return the range as (first, last)."""
        if isinstance(value, tuple):
            return value
        bounds = number_range(value) if value == value.strip() else None
        return bounds or self.fail(f"{value!r}: expected a range like 0-39", param, ctx)


class Seeds(click.ParamType):
    """Parse a seed, or a range of seeds like 0-4."""

    name = "SEED|FIRST-LAST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return the first and the last seed."""
        if isinstance(value, tuple):
            return value
        first, dash, last = value.partition("-")
        if not dash:
            return (number := SEED.convert(value, param, ctx)), number
        low, high = whole_number(first), whole_number(last)
        if low is None or high is None or not low <= high <= MOST_SEED:
            self.fail(f"{value!r}: expected a seed, or a range of seeds like 0-4", param, ctx)
        return low, high


class Shard(click.ParamType):
    """Parse a shard like 2/8."""

    name = "NUMBER/COUNT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return the number of the shard, from 1, and how many there are."""
        if isinstance(value, tuple):
            return value
        number, count = map(whole_number, value.partition("/")[::2])
        if number is None or count is None or not 1 <= number <= count:
            self.fail(f"{value!r}: expected the number of a shard and how many there are, from 1/8 to 8/8", param, ctx)
        return number, count


class SamplesOrFile(click.ParamType):
    """Parse a number of samples, or a file of samples, which `Samples.load` reads."""

    name = "NUMBER|FILE"

    def __init__(self, least: int = 1, most: int = MOST_ROWS):
        self.number = Whole(least=least, most=most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | Path:
        """Return the number or the path."""
        if isinstance(value, int | Path):
            return value
        if re.fullmatch(r"[-+]?[0-9]+", value):
            return self.number.convert(value, param, ctx)
        if not os.path.isfile(value):
            self.fail(f"{value!r}: neither a number nor a file of samples", param, ctx)
        return Path(value)


class CoordinatesOrPercentiles(click.ParamType):
    """Parse numbers, or percentiles like 75%, with commas between them."""

    name = "NUMBER|PERCENT%,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Coordinate, ...]:
        """Return the coordinates and percentiles."""
        return value if isinstance(value, tuple) else tuple(self._one(each, param, ctx) for each in value.split(","))

    def _one(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Coordinate:
        percent = text.endswith("%")
        if real_number(text.removesuffix("%")) is None:
            self.fail(f"{text!r}: expected a number, or a percentile like 75%", param, ctx)
        return Coordinate((PERCENT if percent else COORDINATE).convert(text.removesuffix("%"), param, ctx), percent)
