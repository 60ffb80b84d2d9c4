"""List the runs of a sweep in one table, as CSV and as JSON lines."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypedDict

from direction_finder.errors import DirectionFinderError, InputError
from direction_finder.files import CONFIG, RANK, existing_file, parse_json, replacing
from direction_finder.locks import locked
from direction_finder.runs.folder import FOUND, Run
from direction_finder.runs.loading import read_directions
from direction_finder.runs.ranks import read_rank
from direction_finder.sweeps.tasks import DONE, FAILED, LEFT, Outcome

CSV, JSONL = "runs.csv", "runs.jsonl"
LOCK = ".lock-table"
PATIENCE = 60.0  # seconds to wait for another shard that writes the table

Row = TypedDict(
    "Row",
    {
        "class": str | None,
        "classes": int,
        "part": str | None,
        "method": str,
        "seed": int,
        "status": str,
        "passes": int | None,
        "gradients": int | None,
        "seconds": float | None,
        "share": float | None,
        "random_share": float | None,
        "short_list": str | None,
        "reason": str | None,
        "folder": str,
    },
)
"""A run of a sweep. classes: how many it searched together; 0: random ones. passes: images that the generator computed,
of them `gradients` with gradients. short_list: of `rank`, with usable ranges, e.g. "x ±2.1, 3 ±1.4". reason: why the
search ended, or why the run failed. folder: its name in the folder of the sweep."""


def row_of(run: Run) -> Row:
    """Return the row of a run: what it searched, and what came out of it if it is finished."""
    config, finding = run.config, run.config.get("finding") or {}
    chosen = config["settings"].get("class_index")
    return {
        "class": config["class"],
        "classes": len(chosen) if isinstance(chosen, list) else int(chosen is not None),
        "part": config.get("part"),
        "method": config["method"],
        "seed": config["settings"]["seed"],
        "status": DONE if run.finished else LEFT,
        "passes": finding.get("images"),
        "gradients": finding.get("gradients"),
        "seconds": finding.get("seconds"),
        "share": finding.get("share"),
        "random_share": finding.get("random_share"),
        "short_list": _short_list(run),
        "reason": finding.get("reason"),
        "folder": run.folder.name,
    }


def _short_list(run: Run) -> str | None:
    """Return the short list of a run as text; None without a ranking of its directions."""
    if not (run.folder / RANK).is_file():
        return None
    try:
        directions = read_directions(run)
        ranking = read_rank(run.folder, directions)
    except DirectionFinderError:
        return None
    if ranking is None:
        return None
    ranges = {number: directions.ranges[number] for number in ranking["short_list"]}
    return ", ".join(
        f"{directions.names[number] or number}{f' ±{reach:.3g}' if reach else ''}" for number, reach in ranges.items()
    )


def unbegun(name: str, content: Mapping[str, Any]) -> Row:
    """Return the row of a run that has no folder. content: of the `config.json` that it would have."""
    return row_of(Run(Path(name), dict(content)))


def update(folder: Path, plan: Mapping[str, Row], outcomes: Mapping[str, Outcome]) -> list[Row]:
    """Write the table of all runs in a folder, and return it: those of the plan first, in its order.

    plan: a row for each run, as it is before it has begun. outcomes: how runs ended now. Failures that another sweep or
    shard noted are kept.
    """
    with locked(folder, name=LOCK, wait=PATIENCE):
        rows = {**plan, **{run.folder.name: row_of(run) for run in _runs(folder)}}
        for name, row in _failures(folder).items():
            if rows.setdefault(name, row)["status"] == LEFT:
                rows[name] = {**rows[name], "status": FAILED, "reason": row["reason"]}
        for name, outcome in outcomes.items():
            if outcome.status == FAILED:
                rows[name] = {**rows[name], "status": FAILED, "reason": outcome.reason}
        _write(folder, rows.values())
    return list(rows.values())


def _runs(folder: Path) -> Iterator[Run]:
    """Yield the runs of `learn` in a folder."""
    for path in sorted(folder.glob(f"*/{CONFIG}")):
        with suppress(InputError):  # another kind of run
            run = Run.open(path.parent, FOUND)
            if "seed" in run.config["settings"]:
                yield run


def check_table(folder: Path) -> None:
    """Raise InputError if a file in the way of the table is not a table of ours."""
    _failures(folder)
    path = folder / CSV
    if path.exists() and existing_file(path).read_bytes()[: len(_header())] != _header().encode():
        raise InputError(f"{path}: not the table of a sweep; give another folder as `out`")


def _failures(folder: Path) -> dict[str, Row]:
    """Return the rows of the runs that the table in a folder notes as failed."""
    path = folder / JSONL
    if not path.exists():
        return {}
    lines = existing_file(path).read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [parse_json(line, f"{path}: not the table of a sweep", Row) for line in lines]
    return {row["folder"]: row for row in rows if row["status"] == FAILED}


def _header() -> str:
    return ",".join(Row.__annotations__)


def _write(folder: Path, rows: Iterable[Row]) -> None:
    rows = list(rows)
    with replacing(folder / JSONL) as part:
        part.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    with replacing(folder / CSV) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(Row.__annotations__), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
