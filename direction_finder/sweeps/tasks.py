"""Carry out one run of a sweep: begin or resume it, in whichever process is given the task."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from direction_finder.directions import Directions
from direction_finder.discovery import SearchConfig
from direction_finder.errors import DirectionFinderError, InputError, one_line, out_of_memory
from direction_finder.files import RANK, STRIPS
from direction_finder.generators import Generator, Untold
from direction_finder.locks import locked
from direction_finder.metrics.samples import Sampling
from direction_finder.progress import OnStep, Progress
from direction_finder.reports.pages.run_strips import Drawing, chosen, strips_of
from direction_finder.reports.ranking import rank_with
from direction_finder.runs import learning
from direction_finder.runs.folder import Run
from direction_finder.runs.learning import Search
from direction_finder.runs.loading import Loader, read_directions
from direction_finder.runs.ranks import read_rank
from direction_finder.sweeps.plan import existing

DONE, FAILED, LEFT = "done", "failed", "left"
PATIENCE = 60.0  # seconds to wait for a run that a process of a lost node, or of a driver that was killed, still holds


@dataclass(frozen=True)
class Source:
    """Hold how every process loads the generator; the fields are arguments of `Loader`."""

    spec: str
    truncation: float | None
    untold: Untold
    device: str

    def load(self) -> Generator:
        """Return the generator; a process that has loaded it before returns the same again."""
        if self not in _kept:
            _kept.clear()
            _kept[self] = Loader(self.device).load(self.spec, truncation=self.truncation, untold=self.untold)
        return _kept[self]


_kept: dict[Source, Generator] = {}  # the generator of this process


def unload() -> None:
    """Forget the generator of this process."""
    _kept.clear()


@dataclass(frozen=True)
class Task:
    """A run to carry out. record: the entry of `config.json` for the generator. rank: also rank and render it."""

    folder: Path
    source: Source
    record: Mapping[str, Any]
    method: str
    config: SearchConfig
    part: str | None
    threads: int
    save_every: float
    rank: bool = False

    def search(self) -> Search:
        """Return the search, with the generator. Raises InputError if its weights are others than in the record."""
        generator = self.source.load()
        if generator.weights_sha256 != self.record["weights_sha256"]:
            raise InputError(
                f"{self.source.spec} has other weights in a worker process; a factory must return the same ones each "
                "time: load them, or draw them with a fixed seed"
            )
        return Search(generator, self.record, self.method, self.config, self.part)


class Outcome(NamedTuple):
    """Hold how a run ended: `DONE`, `FAILED` or `LEFT`, and why. ending: what ends the sweep, e.g. a full disk."""

    status: str
    reason: str | None = None
    ending: OSError | None = None


def carry_out(task: Task, stopping: Callable[[], bool]) -> Outcome:
    """Begin or resume a run, unless it is done. stopping: whether to stop after the next step."""
    torch.set_num_threads(task.threads)
    try:
        return Outcome(DONE if _learned(task, stopping) else LEFT)
    except OSError as error:
        return Outcome(FAILED, ending=error)
    except Exception as error:  # one run that fails must not end the others
        expected = isinstance(error, DirectionFinderError) or out_of_memory(error)
        text = str(error) if expected else f"unexpected {type(error).__name__}: {error}"
        return Outcome(FAILED, one_line(text))


def is_done(run: Run, rank: bool = False) -> bool:
    """Return whether a run is finished and has its directions; if they were deleted, it is resumed.

    rank: whether it also has to be ranked and rendered.
    """
    if not (run.finished and run.directions_path.is_file()):
        return False
    return not rank or ((run.folder / STRIPS).is_file() and bool(read_rank(run.folder, Directions.load(run.folder))))


def _learned(task: Task, stopping: Callable[[], bool]) -> bool:
    """Return whether the run is finished now."""

    def on_step(progress: Progress) -> None:
        if stopping():
            progress.stop()

    search = task.search()
    if task.folder.is_dir():
        with suppress(FileNotFoundError), locked(task.folder, wait=PATIENCE):  # who holds it may delete it in the end
            pass
    run = existing(task.folder, search)
    if not run:
        run, _ = learning.begin(search.settled(), task.folder, save_every=task.save_every, on_step=on_step)
    elif not is_done(run):
        run, _ = learning.resume(task.folder, generator=search.generator, save_every=task.save_every, on_step=on_step)
    if run.finished and not is_done(run, task.rank):
        _ranked(run, search.generator, on_step)
    return run.finished


def _ranked(run: Run, generator: Generator, on_step: OnStep) -> None:
    """Rank the directions of a run as `rank` does, and save strips of the best from one sample."""
    with locked(run.folder):
        directions = read_directions(run)
        ranking = rank_with(generator, directions, sampling=Sampling(directions.class_index), on_step=on_step)
        ranking.directions.save(run.directions_path)
        ranking.save(run.folder / RANK)
        numbers = chosen(ranking.directions, read_rank(run.folder, ranking.directions), None)
        strips_of(run, ranking.directions, numbers, Drawing(samples=1), lambda note: None, on_step, generator)
