"""Carry out `direction-finder page`."""

from pathlib import Path

from direction_finder.commands.actions.shared import writing
from direction_finder.commands.option_values import Drawing, Paging
from direction_finder.commands.printing import say, tell
from direction_finder.overwriting import HTML, check_overwrite
from direction_finder.progress import Bars
from direction_finder.reports.pages.page import write_page


def page(target: Path, paging: Paging, drawing: Drawing) -> None:
    """Write one HTML page about a run, and print its path."""
    if paging.out:
        check_overwrite(paging.out, HTML, force=paging.force)
    with writing(target), Bars() as bars:
        written = write_page(
            target,
            paging.out,
            strips=paging.strips,
            directions=paging.directions,
            samples=paging.samples,
            quality=paging.quality,
            generator=drawing.generator,
            class_name=drawing.class_text,
            seed=drawing.seed,
            max_batch=drawing.max_batch,
            device=drawing.device,
            on_note=tell,
            progress=bars,
        )
    say(written)
