"""Carry out `direction-finder sweep`."""

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from direction_finder.commands.console import Console
from direction_finder.commands.option_values import Sweeping
from direction_finder.commands.options import shown
from direction_finder.commands.printing import say, tell
from direction_finder.errors import InputError, Unfinished
from direction_finder.files import PAGE
from direction_finder.generators import Untold
from direction_finder.sweeps.api import Forecast, How, carried_out, forecast, source_of, wanted_of
from direction_finder.sweeps.plan import MOST_RUNS
from direction_finder.sweeps.table import CSV, Row
from direction_finder.sweeps.tasks import DONE, FAILED, LEFT

SHOWN = 5  # failures that are printed
HOW = tuple(field.name for field in dataclasses.fields(How))
LOADING = ("truncation", *(field.name for field in dataclasses.fields(Untold)))


def sweep(options: Sweeping, settings: dict[str, Any]) -> None:
    """Find directions in many runs, and print how many are done."""
    if not options.spec:
        raise InputError("no generator: give --generator, e.g. --generator shapes-64")
    if not options.out:
        raise InputError("no folder: give --out, e.g. --out outputs/sweep")
    if options.dry_run and options.address:
        raise InputError("--dry-run measures this machine: leave out --address, and give --workers")
    loading = {name: getattr(options, name) for name in LOADING}
    source = source_of(options.spec, options.device, loading, options.address)
    seeds = _seeds(options.seeds)
    wanted = wanted_of(options.methods, options.class_texts, options.part_texts, seeds, options.together)
    given = {name: value for name, value in settings.items() if value not in (None, ())}
    how = How(**{name: getattr(options, name) for name in HOW} | {"threads": options.threads or 1})
    if options.dry_run:
        _forecast(forecast(source, options.out, wanted, given, how))
        return
    with Console() as console:
        rows = carried_out(source, options.out.absolute(), wanted, given, how, console)
    _report(rows, options.out, console.stopped)


def _forecast(found: Forecast) -> None:
    say(*found.left)
    tell(f"{len(found.left)} of {len(found.names)} runs are left; at most {found.cost} on {found.workers} workers")


def _seeds(ranges: Sequence[tuple[int, int]]) -> list[int]:
    """Return the seeds of some ranges, each once, and a few too many of too many."""
    every = itertools.chain.from_iterable(range(first, last + 1) for first, last in ranges)
    return list(dict.fromkeys(itertools.islice(every, MOST_RUNS + 1)))


def _report(rows: Sequence[Row], out: Path, stopped: bool) -> None:
    counts = {status: sum(row["status"] == status for row in rows) for status in (DONE, FAILED, LEFT)}
    say(f"{out}: {', '.join(f'{count} {status}' for status, count in counts.items())}; see {out / CSV}")
    failed = [row for row in rows if row["status"] == FAILED]
    for row in failed[:SHOWN]:
        tell(f"{row['folder']}: {row['reason']}")
    if stopped:
        tell("Stopped; what was found is saved. Repeat the command to resume the sweep.")
        raise SystemExit(130)
    if failed:
        what, them = ("1 run", "it") if len(failed) == 1 else (f"{len(failed)} runs", "them")
        raise Unfinished(f"{what} failed; repeat the command to try {them} again")
    tell(f"To look at all of them: {out / PAGE}")
    tell(f"To look at one of them: direction-finder render grid {shown(out / rows[0]['folder'])}")
