"""Begin and resume every kind of run, so that nothing is lost if that fails."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import torch

from direction_finder.errors import DirectionFinderError, InputError
from direction_finder.files import CONFIG, write_json
from direction_finder.generators.devices import pick_device
from direction_finder.locks import locked
from direction_finder.runs.claims import claimed
from direction_finder.runs.folder import Run
from direction_finder.version import package_version


class Machine(NamedTuple):
    """Name the device and the number of CPU threads that a resumed run uses; None: those that it used before.

    On another device, results agree with those of an uninterrupted run but for rounding, which may grow.
    """

    device: str | None = None
    threads: int | None = None

    def taken(self, run: Run) -> dict[str, Any]:
        """Set the number of threads, and return what is recorded. Raises InputError if torch cannot use the device."""
        device, threads = pick_device(self.device or run.config["device"]), self.threads or run.config["threads"]
        torch.set_num_threads(threads)
        return {"device": device, "threads": threads}


@contextmanager
def begun(out: Path | None, name: str, content: Mapping[str, Any]) -> Iterator[Run]:
    """Create the folder of a run with its configuration; delete it if the run fails before its first state.

    out: the folder (None: the next number under outputs/, followed by `name`). content: the configuration. Raises
    InputError if the folder is not empty.
    """
    with claimed(out, name) as folder:
        run = Run.create(folder, dict(content))
        try:
            yield run
        except DirectionFinderError:
            run.remove_if_not_begun()
            raise


@contextmanager
def held(folder: Path, needed: Sequence[str], verb: str) -> Iterator[Run]:
    """Open an existing run so that only this process writes in its folder. Arguments and errors are `Run.open`'s."""
    Run.open(folder, needed, verb)  # no lock is put into a folder that is no run
    with locked(folder):
        yield Run.open(folder, needed, verb)


@contextmanager
def resumed(run: Run, changes: Mapping[str, Any], done: int) -> Iterator[None]:
    """Record that a run resumes from step `done` with changes in its configuration; undo this after an error.

    An InputError also says if the run was begun by another version of this package.
    """
    before = deepcopy(run.config)
    run.config.update(changes)
    run.finish(False)
    run.cut_log(done)
    try:
        yield
    except DirectionFinderError as error:
        write_json(run.folder / CONFIG, before)
        old, new = before.get("direction_finder"), package_version()
        if isinstance(error, InputError) and old not in (None, new):
            raise InputError(f"{error}; the run was begun by direction-finder {old}, and this is {new}") from error
        raise


def check_longer(name: str, value: float, done: int) -> None:
    """Raise InputError if a new length `value` of a run is below the step `done` that it has reached."""
    if value < done:
        raise InputError(f"`{name}` {value:g}: the run is at step {done} already; it can only be made longer")
