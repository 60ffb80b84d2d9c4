"""How every run begins and goes on, whether it learns, fine-tunes or trains: nothing is lost if that fails."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from direction_finder.errors import DirectionFinderError, InputError
from direction_finder.files import CONFIG, write_json
from direction_finder.runs.folder import Run, reserved
from direction_finder.version import package_version


@contextmanager
def begun(out: Path | None, name: str, content: Mapping[str, Any]) -> Iterator[Run]:
    """Make the folder of a run and write its configuration; it is taken away if the run fails before its first state.

    out: the folder (None: the next number under outputs/, with `name`). Raises InputError if it holds anything.
    """
    with reserved(out):
        run = Run.create(out, name, dict(content))
        try:
            yield run
        except DirectionFinderError:
            run.remove_if_not_begun()
            raise


@contextmanager
def resumed(run: Run, changes: Mapping[str, Any], done: int) -> Iterator[None]:
    """Note that a run goes on from step `done`, and what changes in its configuration, which an error takes back; the
    error says if the run was begun by another version."""
    before = deepcopy(run.config)
    run.config.update(changes)
    run.finish(False)
    run.cut_log(done)
    try:
        yield
    except DirectionFinderError as error:
        write_json(run.folder / CONFIG, before)
        began, now = before.get("direction_finder"), package_version()
        if isinstance(error, InputError) and began not in (None, now):
            raise InputError(f"{error}; the run was begun by direction-finder {began}, and this is {now}") from error
        raise


def check_longer(name: str, value: float, done: int) -> None:
    """Raise InputError if a run is to end before the step that it has reached."""
    if value < done:
        raise InputError(f"`{name}` {value:g}: the run is at step {done} already; it can only be prolonged")
