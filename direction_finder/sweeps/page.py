"""Write the page of a sweep: each run with its short list, strips, cost and link, and what classes share."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

from direction_finder.errors import DirectionFinderError, InputError
from direction_finder.files import PAGE
from direction_finder.overwriting import HTML, check_overwrite
from direction_finder.rendering.strips import thumbnail
from direction_finder.reports.pages.cards import Shown
from direction_finder.reports.pages.facts import Table
from direction_finder.reports.pages.gallery import BEST, Entry, best_strips, link_to, write_runs
from direction_finder.reports.pages.run_strips import PAGE_SIZE
from direction_finder.runs.folder import FOUND, Run
from direction_finder.runs.loading import read_directions
from direction_finder.sweeps import shared
from direction_finder.sweeps.shared import CLOSE, CSV, PANEL, Shared, Summary
from direction_finder.sweeps.table import Row
from direction_finder.sweeps.tasks import DONE, FAILED, LEFT

LISTED = 2000  # runs that the page shows, at most
ROOM = 11_000  # bytes of a strip with which a run has several
LARGEST = 60_000  # bytes of a strip, at most
MANY = 12  # runs from which on they are shown small, side by side
LONGEST = 300  # letters of a reason
KEYS = (
    "order",
    "class",
    "method",
    "seed",
    "status",
    "seconds",
    "passes",
    "share",
    "share of random",
    "listed",
    "shared",
)


def check(folder: Path) -> None:
    """Raise InputError if a file in the way of the page, or of what it says about classes, is not ours."""
    shared.check(folder)
    try:
        check_overwrite(folder / PAGE, HTML, force=False)
    except InputError as error:
        raise InputError(f"{folder / PAGE}: not a page of ours; give another folder as `out`") from error


def write_sweep_page(folder: Path, rows: Sequence[Row]) -> None:
    """Write `shared.csv` and `index.html` into the folder of a sweep. rows: its table.

    The page shows at most 2,000 runs, failed ones before others if there are more, and has less than 20 MB.
    """
    found, best = shared.write_shared(folder, rows)
    counts = {status: sum(row["status"] == status for row in rows) for status in (DONE, FAILED, LEFT)}
    line = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    listed = list(rows)
    if len(rows) > LISTED:
        listed = sorted(rows, key=lambda row: row["status"] != FAILED)[:LISTED]
        line += f"; {LISTED:,} of {len(rows):,} runs are shown, all are in runs.csv"
    entries = _entries(folder, listed, found)
    tables = [_table(best)] if best else []
    write_runs(folder / PAGE, f"Sweep {folder.resolve().name}", line, entries, KEYS, tables, many=len(listed) > MANY)


def _entries(folder: Path, rows: Sequence[Row], found: Mapping[str, Summary]) -> Iterator[Entry]:
    """Yield what the page says of each run, one at a time, so that only one is in memory."""
    done = max(1, sum(row["status"] == DONE for row in rows))
    most = max(1, min(BEST, PAGE_SIZE // (done * ROOM)))
    room = min(LARGEST, PAGE_SIZE / (done * most))
    for place, row in enumerate(rows):
        path, summary = folder / row["folder"], found.get(row["folder"])
        strips, note = _strips(path, most, room) if row["status"] == DONE else ([], "")
        keys: dict[str, float | str | None] = {
            "order": -place,
            "class": row["class"] or "",
            "method": row["method"],
            "seed": -row["seed"],
            "status": row["status"],
            "seconds": row["seconds"],
            "passes": row["passes"],
            "share": row["share"],
            "share of random": _times(row),
            "listed": len(row["short_list"].split(", ")) if row["short_list"] else None,
            "shared": summary.clear if summary else None,
        }
        failed = row["reason"] or "it failed" if row["status"] == FAILED else ""
        link = link_to(path / PAGE, folder) or (f"{quote(row['folder'])}/" if path.is_dir() else "")
        title, facts = _title(row), tuple(filter(None, (_listed(row), _shared(summary))))
        yield Entry(
            row["folder"], title, _line(row), link, strips, failed[:LONGEST] or note, facts, keys, row["class"] or ""
        )


def _strips(folder: Path, most: int, room: float) -> tuple[list[Shown], str]:
    """Return the strips of the best directions of a run, and why there are none."""
    try:
        run = Run.open(folder, FOUND)
        return best_strips(run, read_directions(run), most, partial(thumbnail, room=room)), ""
    except DirectionFinderError as error:
        return [], str(error).replace(str(folder), folder.name)[:LONGEST]


def _title(row: Row) -> str:
    of = (row["class"] or "random classes").split(",")[0]
    return " · ".join(filter(None, (of, row["method"], row["part"], f"seed {row['seed']}")))


def _line(row: Row) -> str:
    """Say how a run ended, and what it cost."""
    if row["status"] != DONE:
        return row["status"]
    facts = [f"done: {row['reason']}"]
    if row["passes"] is not None and row["seconds"] is not None:
        facts.append(f"{row['passes']:,} passes, {row['seconds']:.3g} s")
    if row["share"] is not None:
        facts.append(f"diagonal share {row['share']:.3f}, of a random basis {row['random_share'] or 0:.3f}")
    return "; ".join(facts)


def _listed(row: Row) -> str:
    if row["short_list"] is None:
        return ""
    return f"Stands out: {row['short_list']}" if row["short_list"] else "No direction stands out from random ones"


def _shared(summary: Summary | None) -> str:
    if not summary:
        return ""
    return (
        f"In other classes too: {summary.clear} of {summary.directions} directions; mean |cos| {summary.mean:.2f}, "
        f"of random bases {summary.random:.2f}"
    )


def _times(row: Row) -> float | None:
    """Return the diagonal share in multiples of that of a random basis."""
    return row["share"] / row["random_share"] if row["share"] is not None and row["random_share"] else None


def _table(best: Sequence[Shared]) -> Table:
    """Return a table of the directions that most other classes have too."""
    rows = [
        [
            f"{line.of.split(',')[0]}, {line.name or line.direction}",
            f"{line.method}, seed {line.seed}",
            f"{line.close} of {line.others}",
            f"{line.mean:.2f}",
            f"{line.random:.2f}",
            f"{line.limit:.2f}",
        ]
        for line in best
    ]
    head = (
        "direction",
        "run",
        f"classes with |cos| of {CLOSE} or more",
        "mean |cos|",
        "of random bases",
        "95 % of them below",
    )
    note = (
        f"the {len(rows)} directions that other classes have most; each run is compared with at most {PANEL} classes. "
        f"By chance, 5 % of directions are above the last column. All are in {CSV}"
    )
    return Table("Which directions classes share", head, rows, note)
