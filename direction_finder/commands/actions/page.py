"""Carry out `direction-finder page`."""

from pathlib import Path

import click

from direction_finder.commands.actions.shared import tell
from direction_finder.reports.page import write_page


def page(target: Path, out: Path | None) -> None:
    """Write one HTML page with a run's settings, scores, curves, images and videos, and print its path."""
    click.echo(write_page(target, out, on_note=tell))
