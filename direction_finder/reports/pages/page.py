"""Write one HTML page that shows everything in a run folder, first of all what its directions do."""

import base64
import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from direction_finder.errors import MissingExtra
from direction_finder.figures import curves
from direction_finder.files import PAGE, replacing
from direction_finder.overwriting import HTML, check_overwrite
from direction_finder.progress import OnStep, Reporting, reporting
from direction_finder.reports.logs import read_log
from direction_finder.reports.pages import facts
from direction_finder.reports.pages.cards import Card, Shown, cards, shown
from direction_finder.reports.pages.embedding import TYPES, caption, figures, inside
from direction_finder.reports.pages.facts import Note, Table, read_or_note
from direction_finder.reports.pages.run_strips import Drawing, chosen, strip_of_training, strips_of
from direction_finder.reports.pages.template import rendered
from direction_finder.runs.folder import FOUND, Run
from direction_finder.runs.loading import read_directions

REFERENCE = ("random_share", "share_of")  # in logs, what `share` is judged by: nearly the same at every step
TRAINED = ("data", "model", "settings", "torch", "direction_finder")  # keys of runs that train


class Figure(NamedTuple):
    """An image or video as a page embeds it."""

    name: str
    caption: str
    alt: str
    source: str
    video: bool


class Content(NamedTuple):
    """Hold what a page says. notes: why it shows no images, or directions that do not stand out."""

    title: str
    line: str
    cards: list[Card]
    training: Shown | None
    notes: list[str]
    tables: list[Table]
    provenance: list[Table]


def write_page(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    strips: bool = True,
    directions: str | None = None,
    samples: int | str | Path = 6,
    quality: int | None = None,
    generator: str | None = None,
    class_name: str | None = None,
    seed: int = 0,
    max_batch: int = 32,
    device: str = "auto",
    on_note: Callable[[str], None] = warnings.warn,
    progress: Reporting = None,
) -> Path:
    """Write one page about a run, on which one can follow its directions by hand, and return its path.

    The page needs no other files, so it can be moved or sent. out: the file (None: index.html in the run folder).
    strips: render images along directions, and save them in the run folder; False shows those that are saved there.
    directions: those to show, e.g. "0-7,12" or "x" (None: the short list of `rank`, or the first eight). samples: how
    many, or a file of samples. quality: of images, 1 to 100 (None: the best with which a page has up to 12 MB).
    generator: used instead of the run's. class_name: None for the class of the directions. max_batch: images rendered
    at once. on_note: called with a message about anything that is left out.

    >>> df.write_page("outputs/demo")

    Raises InputError if the folder is not a run, Unfinished if it has no directions yet.
    """
    chosen_samples = samples if isinstance(samples, int) else Path(samples)
    drawing = Drawing(strips, directions, chosen_samples, quality, generator, class_name, seed, max_batch, device)
    config = Run.open(Path(folder), ("settings",), "learn or train").config
    run = Run.open(Path(folder), TRAINED if "model" in config else FOUND, "learn or train")
    out = Path(out) if out else run.folder / PAGE
    check_overwrite(out, HTML)
    with reporting(progress) as on_step:
        content = _trained(run, on_note) if "model" in run.config else _found(run, drawing, on_note, on_step)
    _draw_curves(run, content.title, on_note)
    with replacing(out) as part, part.open("w", encoding="utf-8", errors="replace") as file:
        for text in rendered("page.html", **content._asdict(), figures=_figures(run, content, on_note)):
            file.write(text)
    return out


def _found(run: Run, drawing: Drawing, on_note: Note, on_step: OnStep | None) -> Content:
    directions = read_directions(run)
    reports, ranking = facts.reports_of(run.folder, on_note), facts.ranking_of(run.folder, directions, on_note)
    factors = reports.get("factors")
    numbers = chosen(directions, ranking, drawing.directions)
    strips = strips_of(run, directions, numbers, drawing, on_note, on_step)
    title, line = facts.title_of_found(run, directions)
    tables = facts.measured(reports) + ([facts.ranked(ranking, directions)] if ranking else [])
    notes = (
        []
        if strips
        else ["There are no images along these directions yet: `page` renders them where the generator is."]
    )
    if ranking and not ranking["short_list"]:
        notes.append("No direction stands out from random ones, so the first in rank's order are shown.")
    fitting = factors if factors and len(factors["names"]) == len(directions) else None
    return Content(
        title,
        line,
        cards(directions, numbers, strips, run.config["generator"].get("name") or "the generator", ranking, fitting),
        None,
        notes,
        tables + ([facts.effects(factors)] if factors else []),
        facts.provenance(run, directions),
    )


def _trained(run: Run, on_note: Note) -> Content:
    title, line = facts.title_of_trained(run)
    strip, tables = strip_of_training(run.folder), facts.measured(facts.reports_of(run.folder, on_note))
    training = shown(strip, "the training", "the generator") if strip else None
    return Content(title, line, [], training, [], tables, facts.provenance(run, None))


def _draw_curves(run: Run, title: str, on_note: Note) -> None:
    """Plot the values in the log, if it has more than one step and matplotlib is installed."""
    if not run.log.exists():
        return
    steps = read_or_note("The curves are", on_note, lambda: read_log(inside(run.log, run.folder)))
    if not steps or len(steps) < 2:
        return
    names = dict.fromkeys(name for step in steps for name in step)
    across = "kimg" if "kimg" in names else "step"
    left_out = {*REFERENCE, "step"} - {across}
    values = {name: [step.get(name, math.nan) for step in steps] for name in names if name not in left_out}
    try:
        curves(run.folder / "curves.png", across, values, title=title)
    except MissingExtra as error:
        on_note(f"The curves are left out: {error}")


def _figures(run: Run, content: Content, on_note: Note) -> Iterator[Figure]:
    """Yield the images and videos of a run one at a time, so that only one is in memory."""
    for path, data in figures(run.folder, on_note, preview=not content.training):
        source = f"data:{TYPES[path.suffix]};base64,{base64.b64encode(data).decode()}"
        text = caption(path)
        yield Figure(path.name, text, f"{text or path.stem} {content.title}.", source, path.suffix == ".mp4")
