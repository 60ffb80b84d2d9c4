"""Carry out `direction-finder page`."""

from pathlib import Path

from direction_finder.commands.actions.shared import writing
from direction_finder.commands.printing import say, tell
from direction_finder.reports.page import write_page


def page(target: Path, out: Path | None, force: bool) -> None:
    """Write one HTML page with a run's settings, scores, curves, images and videos, and print its path."""
    with writing(target, out, force):
        say(write_page(target, out, on_note=tell))
