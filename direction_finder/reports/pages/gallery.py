"""Write a page that lists all runs in a folder, with the strips of their best directions."""

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from direction_finder.directions import Directions
from direction_finder.errors import DirectionFinderError, InputError
from direction_finder.files import CONFIG, PAGE, STRIPS, replacing
from direction_finder.overwriting import HTML, check_overwrite
from direction_finder.rendering.strips import Strip, first_row
from direction_finder.reports.pages import facts
from direction_finder.reports.pages.cards import Shown, shown
from direction_finder.reports.pages.embedding import inside
from direction_finder.reports.pages.facts import Table
from direction_finder.reports.pages.run_strips import strip_of_training
from direction_finder.reports.pages.strip_file import read_strips
from direction_finder.reports.pages.template import rendered
from direction_finder.runs.folder import Run
from direction_finder.runs.loading import read_directions

BEST = 4  # strips of a run, at most


class Entry(NamedTuple):
    """Hold what a page of many runs says about one. page: the address of its own page; empty if it has none.

    facts: further lines. keys: what the runs can be sorted by; numbers from the largest. more: words to search for
    beside those that are shown.
    """

    folder: str
    title: str
    line: str
    page: str
    strips: list[Shown]
    note: str
    facts: tuple[str, ...] = ()
    keys: Mapping[str, float | str | None] = {}
    more: str = ""

    @property
    def words(self) -> str:
        """Return what a search looks in."""
        return " ".join((self.title, self.folder, self.line, self.note, *self.facts, self.more)).lower()


def write_gallery(
    outputs: str | Path, out: str | Path | None = None, *, on_note: Callable[[str], None] = warnings.warn
) -> Path:
    """Write a page that lists all runs in a folder, newest first, and return its path.

    outputs: a folder of run folders. out: the file (None: index.html in the folder). A run shows up to four strips,
    which `write_page` rendered, and links to its own page; on_note: called with a message about runs that have neither.

    >>> df.write_gallery("outputs")

    Raises InputError if no folder in `outputs` is a run.
    """
    outputs = Path(outputs)
    out = Path(out) if out else outputs / PAGE
    check_overwrite(out, HTML)
    entries = [
        _entry(folder, outputs, out.parent, on_note)._replace(keys={"order": -place, "name": folder.name})
        for place, folder in enumerate(_runs(outputs))
    ]
    if not entries:
        raise InputError(f"{outputs}: no folder in it is a run; give a folder of run folders, e.g. outputs")
    line = f"{len(entries)} {'run' if len(entries) == 1 else 'runs'}, newest first"
    write_runs(out, f"Runs in {outputs.resolve().name}", line, entries, ("order", "name"))
    return out


def write_runs(
    out: Path,
    title: str,
    line: str,
    entries: Iterable[Entry],
    keys: Sequence[str],
    tables: Sequence[Table] = (),
    *,
    many: bool = False,
) -> None:
    """Write a page of many runs, which can be sorted by `keys` and searched. many: show them small, side by side."""
    values = {"title": title, "line": line, "runs": entries, "keys": keys, "tables": tables, "many": many}
    with replacing(out) as part, part.open("w", encoding="utf-8", errors="replace") as file:
        for text in rendered("gallery.html", **values):
            file.write(text)


def _runs(outputs: Path) -> list[Path]:
    """Return the run folders in a folder and in the folders in it, newest first."""
    configs = [path for pattern in ("*", "*/*") for path in outputs.glob(f"{pattern}/{CONFIG}") if path.is_file()]
    newest = sorted(configs, key=lambda path: (-path.stat().st_mtime_ns, path))
    folders = [path.parent for path in newest]
    return [folder for folder in folders if folder.parent not in folders]  # a run may hold a generator's folder


def _entry(folder: Path, outputs: Path, place: Path, on_note: Callable[[str], None]) -> Entry:
    """Describe a run. place: the folder of the gallery, to which the address of the run's page is relative."""
    name = str(folder.relative_to(outputs))
    link = link_to(folder / PAGE, place)
    try:
        title, line, strips = _described(folder)
    except DirectionFinderError as error:
        reason = str(error).replace(str(folder), name)
        on_note(reason)
        return Entry(name, name, "", link, [], reason)
    note = "" if strips else f"No images yet: direction-finder page {name} renders them."
    return Entry(name, title, line, link, strips, note)


def link_to(page: Path, place: Path) -> str:
    """Return the address of a page from the folder `place`; empty if it does not exist."""
    return quote(os.path.relpath(page.resolve(), place.resolve())) if page.is_file() else ""


def _described(folder: Path) -> tuple[str, str, list[Shown]]:
    run = Run.open(inside(folder / CONFIG, folder).parent, ("settings",), "learn or train")
    if "model" in run.config:
        strip = strip_of_training(folder)
        return *facts.title_of_trained(run), [shown(strip, "the training", "the generator")] if strip else []
    directions = read_directions(run)
    return *facts.title_of_found(run, directions), best_strips(run, directions, BEST, first_row)


def best_strips(run: Run, directions: Directions, most: int, change: Callable[[Strip], Strip]) -> list[Shown]:
    """Return the saved strips of the best directions of a run, at most `most`, each changed by `change`."""
    path = run.folder / STRIPS
    strips, made = read_strips(inside(path, run.folder)) if path.exists() else ({}, {})
    best = list(strips)[:most] if made.get("directions") == directions.sha256 else []
    what = run.config["generator"].get("name") or "the generator"
    return [shown(change(strips[i]), f"direction {directions.names[i] or i}", what, directions.ranges[i]) for i in best]
