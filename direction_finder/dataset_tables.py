"""The table of a data set: which factors it has, and their values for each image."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypedDict

import numpy as np
from msgspec import Meta

from direction_finder.errors import InputError
from direction_finder.files import existing_file
from direction_finder.numerals import real_number

DATASET = "dataset.json"
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Number = Annotated[float, Meta(ge=-1e30, le=1e30)]


class FactorFields(TypedDict):
    """Declare the fields of a factor as JSON stores them."""

    name: Text
    low: Number
    high: Number
    circular: bool
    choices: list[Text]


class Description(TypedDict):
    """Declare what dataset.json holds; each kind of data set adds keys of its own."""

    kind: str
    seed: int
    num: Annotated[int, Meta(ge=1, le=10**7)]
    resolution: Annotated[int, Meta(ge=1, le=4096)]
    factors: Annotated[list[FactorFields], Meta(min_length=1)]
    versions: dict[str, Any]


@dataclass(frozen=True)
class Factor:
    """A property that varies between images: a number from `low` to `high`, maybe circular, or one of `choices`."""

    name: str
    low: float = 0.0
    high: float = 1.0
    circular: bool = False
    choices: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, fields: FactorFields) -> "Factor":
        """Return the factor whose `asdict` was written as JSON (in which tuples are lists)."""
        return cls(fields["name"], fields["low"], fields["high"], fields["circular"], tuple(fields["choices"]))


def factors_of(fields: Sequence[FactorFields], source: str) -> tuple[Factor, ...]:
    """Return the factors that a file describes. Raises InputError unless they have a range and names of their own."""
    for factor in fields:
        values = factor["choices"] or (factor["low"], factor["high"])
        if len(set(values)) < len(values) or factor["high"] < factor["low"]:
            raise InputError(f"{source}: factor {factor['name']!r} has no range, or a choice twice")
    names = [factor["name"] for factor in fields]
    if len(set(names)) < len(names):
        raise InputError(f"{source}: two factors have the same name, of {', '.join(names)}")
    return tuple(map(Factor.from_json, fields))


def read_table(path: Path, factors: Sequence[Factor]) -> dict[str, np.ndarray]:
    """Return the values (n,) of each factor. Raises InputError naming the first row that is wrong."""
    existing_file(path, "make the data set again")
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (csv.Error, UnicodeError) as error:
        raise InputError(f"{path}: not a table of factors ({error}); make the data set again") from error
    values: dict[str, list[float]] = {factor.name: [] for factor in factors}
    for index, row in enumerate(rows):
        if row.get("index") != str(index):
            raise InputError(f"{path}: row {index} has the index {row.get('index')!r}; make the data set again")
        for factor in factors:
            value = _value(factor, row.get(factor.name) or "")
            if value is None:
                raise InputError(
                    f"{path}: row {index} has the {factor.name} {row.get(factor.name)!r}, which does not fit "
                    f"{DATASET}; make the data set again"
                )
            values[factor.name].append(value)
    return {name: np.array(column) for name, column in values.items()}


def _value(factor: Factor, text: str) -> float | None:
    """Return the number that a table's text stands for, or its place among the choices; None if it is neither."""
    if factor.choices:
        return factor.choices.index(text) if text in factor.choices else None
    return real_number(text)
