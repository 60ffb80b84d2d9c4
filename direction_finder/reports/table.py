"""Write reports as a table."""

from collections.abc import Iterator, Mapping
from typing import Any

from direction_finder.reports.measures import METRICS
from direction_finder.reports.measures.measurement import Cell

Reports = Mapping[str, Mapping[str, Any]]  # the report of each metric, for each target
COLUMNS = ("ppl", "fid", "kid", "share", "activeness", "paths", "diagonality", "factors", "fidelity")  # in this order


def cells(reports: Mapping[str, Any]) -> Iterator[Cell]:
    """Yield the figures of one target, in the order of the table."""
    for name in COLUMNS:
        if name in reports:
            yield from METRICS[name].cells(reports[name])


def table(targets: Reports) -> str:
    """Return a Markdown table with targets down and figures across.

    With several targets, the best figure of a column is bold if the column has a better direction.
    """
    rows = {text: {cell.quantity: cell for cell in cells(reports)} for text, reports in targets.items()}
    columns = list(dict.fromkeys(quantity for row in rows.values() for quantity in row))
    best = {column: column.best([row[column].value for row in rows.values() if column in row]) for column in columns}
    lines = [["", *(column.heading for column in columns)], ["---"] * (len(columns) + 1)]
    for text, row in rows.items():
        texts = []
        for column in columns:
            cell = row.get(column)
            bold = cell is not None and len(rows) > 1 and cell.value == best[column]
            texts.append("" if cell is None else f"**{cell.text}**" if bold else cell.text)
        lines.append([text, *texts])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
