"""Parse the paths of all options."""

import os
import stat
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from direction_finder.commands import completion
from direction_finder.runs.latest import newest_run


class Text(click.ParamType):
    """Parse a text that is not empty, as an unset variable of the shell would be."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text."""
        return value if value.strip() else self.fail(f"{value!r}: expected a text; leave it out", param, ctx)


class Place(click.Path):
    """Parse the path of a file or folder; with `exists`, of one that exists.

    Pipes and devices are refused, because reading a pipe would wait for ever.
    """

    def __init__(self, *, exists: bool = False, file: bool = True, folder: bool = True):
        super().__init__(exists=exists, file_okay=file, dir_okay=folder, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if not os.fspath(value):
            self.fail("'': expected a path", param, ctx)
        try:
            mode = os.stat(value).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return super().convert(value, param, ctx)
        except OSError as error:  # e.g. a name that is too long
            self.fail(f"{os.fspath(value)!r}: {error.strerror}", param, ctx)
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            self.fail(f"{os.fspath(value)!r}: a pipe or a device; expected a file or a folder", param, ctx)
        return super().convert(value, param, ctx)


class RunPath(Place):
    """Parse an existing run folder or directions file; "latest" means the newest run under outputs/."""

    def __init__(self, *, file: bool = True, folder: bool = True):
        super().__init__(exists=True, file=file, folder=folder)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        return super().convert(newest_run(value), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the runs that complete a word."""
        return completion.runs(incomplete)
