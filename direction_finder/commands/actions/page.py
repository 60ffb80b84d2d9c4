"""What `direction-finder page` does."""

from pathlib import Path

import click

from direction_finder.commands.actions.shared import tell
from direction_finder.reports.page import write_page


def page(target: Path, out: Path | None) -> None:
    """Write one HTML page with a run's settings, scores, curves, pictures and films; it can be moved or sent alone."""
    click.echo(write_page(target, out, on_note=tell))
