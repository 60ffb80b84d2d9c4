"""Reports as a table."""

from collections.abc import Iterator

from direction_finder.commands.measures.asked import Report
from direction_finder.commands.measures.of_generators import DISTANCES, called
from direction_finder.metrics.intervals import Value

HESSIAN_COLUMNS = {
    "percent": "D%",
    "ratio": "D_R",
    "percent_bending": "D% of bending pixels",
    "ratio_of_sums": "ratio of sums",
}


def cells(report: Report) -> Iterator[tuple[str, str]]:
    """Of one target: columns of a table, and what stands in them."""
    for name in DISTANCES:
        if name in report:
            found = report[name]
            interval = f" [{found['low']:.4g}, {found['high']:.4g}]" if "low" in found else ""
            yield called(name, found), f"{found['value']:.4g}{interval}"
    if "share" in report:
        yield "diagonal share", str(Value(*(report["share"][end] for end in ("value", "low", "high"))))
    if "activeness" in report:
        yield "active", f"{report['activeness']['active']} of {len(report['activeness']['of'])}"
    if "paths" in report:
        top = max(report["paths"]["of"], key=lambda value: value["value"])
        interval = f"{top['value']:.4g} [{top['low']:.4g}, {top['high']:.4g}]"
        yield f"largest path length ({report['paths']['features']})", interval
    for key, column in HESSIAN_COLUMNS.items():
        if "hessians" in report:
            part = 100 if column.startswith("D%") else 1
            yield column, str(Value(*(part * report["hessians"][key][end] for end in ("value", "low", "high"))))
    for name, value in report.get("factors", {}).get("scores", {}).items():
        yield name, str(Value(**value))


def table(reports: dict[str, Report]) -> str:
    """Targets down, figures across, in Markdown."""
    rows = {text: dict(cells(report)) for text, report in reports.items()}
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    lines += [[text, *(row.get(column, "") for column in columns)] for text, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
