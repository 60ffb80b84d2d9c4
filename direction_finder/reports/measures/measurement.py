"""Hold the result of a measurement, which prints, plots and saves itself."""

import html
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from direction_finder.errors import InputError
from direction_finder.files import write_json
from direction_finder.metrics.intervals import Value
from direction_finder.reports.measures.raw import Layout, Raw, write_raw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 10  # the strongest directions, shown in the terminal; the file has all of them
Report = dict[str, Any]  # plain values and everything they depend on, as in the JSON file


class Quantity(NamedTuple):
    """Describe a figure that a metric computes.

    better: whether higher or lower is better. low, high: its bounds (None: no bound). factor: the factor by which it is
    multiplied for display.
    """

    title: str
    better: Literal["higher", "lower"] | None = None
    low: float | None = 0.0
    high: float | None = None
    factor: float = 1.0

    @property
    def heading(self) -> str:
        """Return the title, with an arrow that shows which way is better."""
        return self.title + {"higher": " ↑", "lower": " ↓", None: ""}[self.better]

    def best(self, values: list[float]) -> float | None:
        """Return the best of several values; None if neither higher nor lower is better."""
        return {"higher": max, "lower": min}[self.better](values) if self.better else None


class Cell(NamedTuple):
    """Hold one figure of a report: what it is, its value, and its text in a table."""

    quantity: Quantity
    value: float
    text: str


@dataclass(frozen=True)
class Metric:
    """Describe a metric of `measure`.

    layout: what its raw measurements hold; take: takes them; score: computes its report from them; lines: its lines in
    the terminal; cells: its figures in a table; plot: plots it on axes of matplotlib. of_directions: whether it needs
    directions; network: whether it needs a factor network.
    """

    name: str
    layout: Layout
    take: Callable[[Any], Raw]
    score: Callable[[Raw], Report]
    lines: Callable[[Report, str], Iterator[str]]
    cells: Callable[[Report], Iterator[Cell]]
    plot: Callable[[Report, str, Any], Any] | None = None
    of_directions: bool = True
    network: bool = False


@dataclass(frozen=True)
class Measurement:
    """Hold the report of one metric. about: a description of what was measured. raw: what the report is computed from.

    >>> measurement = df.measure(generator, directions, "activeness")
    >>> print(measurement); measurement.plot(); measurement.save("activeness.json")
    """

    metric: Metric
    report: Report
    about: str
    raw: Raw | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return "\n".join(self.metric.lines(self.report, self.about))

    def __repr__(self) -> str:
        return f"<Measurement {self.metric.name} of {self.about}>"

    @property
    def values(self) -> dict[str, float]:
        """Return the main figures by their titles."""
        return {cell.quantity.title: cell.value for cell in self.metric.cells(self.report)}

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Describe the main figures: their bounds, and which way is better."""
        return tuple(cell.quantity for cell in self.metric.cells(self.report))

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Plot the report on axes of matplotlib (None: on new ones). Raises InputError for a metric without a plot."""
        if self.metric.plot is None:
            raise InputError(f"{self.metric.name} is a number: it has no plot; print it")
        return self.metric.plot(self.report, self.about, ax)

    def to_dict(self) -> Report:
        """Return everything as plain values."""
        return json.loads(json.dumps(self.report))

    def save(self, path: str | Path) -> None:
        """Write everything as JSON."""
        write_json(path, self.report)

    def save_raw(self, path: str | Path) -> int:
        """Write the raw measurements, from which the report can be computed again, and return their size in bytes.

        Raises InputError if there are none.
        """
        if self.raw is None:
            raise InputError(f"{self.metric.name} of {self.about}: there are no raw measurements to save")
        return write_raw(path, self.raw, self.metric.layout)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{cell.quantity.heading}</td><td>{cell.text}</td></tr>" for cell in self.metric.cells(self.report)
        )
        return f"<table><caption>{self.metric.name} of {html.escape(self.about)}</caption>{rows}</table>"


def called(report: Report, index: int) -> str:
    """Return "direction 3", with its name if it has one."""
    names = report.get("direction_names") or {}
    name = names[index] if names else None
    return f"direction {index} {name}" if name else f"direction {index}"


def interval(quantity: Quantity, report: Report) -> Cell:
    """Return a figure with its interval, from a report's value, low and high."""
    scaled = Value(*(quantity.factor * report[end] for end in ("value", "low", "high")))
    return Cell(quantity, scaled.value, str(scaled))
