"""Let the processes that `torchrun` starts work on one command."""

from collections.abc import Iterator
from contextlib import contextmanager

from direction_finder import torchrun
from direction_finder.commands.endings import USER
from direction_finder.commands.printing import silent
from direction_finder.errors import DirectionFinderError, InputError


@contextmanager
def together(dry_run: bool = False) -> Iterator[None]:
    """Let the processes work together; only the first one prints. dry_run: refuse several processes."""
    with torchrun.together():
        if dry_run and torchrun.count() > 1:
            raise InputError("--dry-run measures one process: leave out torchrun")
        if not torchrun.number():
            yield
            return
        with silent():
            try:
                yield
            except DirectionFinderError as error:  # the first process says it
                raise SystemExit(USER) from error
