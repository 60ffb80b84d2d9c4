"""What a measure gives: a value that prints, plots and saves."""

import html
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from direction_finder.errors import InputError
from direction_finder.files import write_json
from direction_finder.metrics.intervals import Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 10  # directions in the terminal, the strongest; the file has all
Report = dict[str, Any]  # plain values, with everything that they depend on: what the JSON file holds


class Quantity(NamedTuple):
    """A figure that a metric gives. better: which way. low, high: its bounds (None: none). factor: what it is shown
    multiplied by."""

    title: str
    better: Literal["higher", "lower"] | None = None
    low: float | None = 0.0
    high: float | None = None
    factor: float = 1.0

    @property
    def heading(self) -> str:
        """Its title, with an arrow that says which way is better."""
        return self.title + {"higher": " ↑", "lower": " ↓", None: ""}[self.better]

    def best(self, values: list[float]) -> float | None:
        """The best of several values; None where no way is better."""
        return {"higher": max, "lower": min}[self.better](values) if self.better else None


class Cell(NamedTuple):
    """One figure of a report: what it is, its value, and how it is written in a table."""

    quantity: Quantity
    value: float
    text: str


@dataclass(frozen=True)
class Metric:
    """A metric of `measure`. take: computes its report; lines: what the terminal shows of it; cells: its figures in a
    table; plot: draws it on axes of matplotlib. of_directions: it needs directions; network: it needs a factor network.
    """

    name: str
    take: Callable[[Any], Report]
    lines: Callable[[Report, str], Iterator[str]]
    cells: Callable[[Report], Iterator[Cell]]
    plot: Callable[[Report, str, Any], Any] | None = None
    of_directions: bool = True
    network: bool = False


@dataclass(frozen=True)
class Measurement:
    """The report of one metric. about: what was measured, in words.

    >>> measurement = df.measure(generator, directions, "activeness")
    >>> print(measurement); measurement.plot(); measurement.save("activeness.json")
    """

    metric: Metric
    report: Report
    about: str

    def __str__(self) -> str:
        return "\n".join(self.metric.lines(self.report, self.about))

    def __repr__(self) -> str:
        return f"<Measurement {self.metric.name} of {self.about}>"

    @property
    def values(self) -> dict[str, float]:
        """Its main figures by their titles."""
        return {cell.quantity.title: cell.value for cell in self.metric.cells(self.report)}

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What its main figures are: their bounds, and which way is better."""
        return tuple(cell.quantity for cell in self.metric.cells(self.report))

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw it on axes of matplotlib (None: on new ones). Raises InputError for a metric that has no picture."""
        if self.metric.plot is None:
            raise InputError(f"{self.metric.name} is a number: it has no plot; print it")
        return self.metric.plot(self.report, self.about, ax)

    def to_dict(self) -> Report:
        """Everything as plain values."""
        return json.loads(json.dumps(self.report))

    def save(self, path: str | Path) -> None:
        """Write everything as JSON."""
        write_json(path, self.report)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{cell.quantity.heading}</td><td>{cell.text}</td></tr>" for cell in self.metric.cells(self.report)
        )
        return f"<table><caption>{self.metric.name} of {html.escape(self.about)}</caption>{rows}</table>"


def interval(quantity: Quantity, found: Report) -> Cell:
    """A figure with its interval, from a report's value, low and high."""
    scaled = Value(*(quantity.factor * found[end] for end in ("value", "low", "high")))
    return Cell(quantity, scaled.value, str(scaled))
