"""Carry out `direction-finder gallery`."""

from pathlib import Path

from direction_finder.commands.printing import say, tell
from direction_finder.files import PAGE
from direction_finder.overwriting import HTML, check_overwrite
from direction_finder.reports.pages.gallery import write_gallery


def gallery(outputs: Path, out: Path | None, force: bool) -> None:
    """Write one HTML page that lists all runs in a folder, and print its path."""
    check_overwrite(out or outputs / PAGE, HTML, force=force)
    say(write_gallery(outputs, out, on_note=tell))
