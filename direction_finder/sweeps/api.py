"""Carry out a sweep: plan it, leave out what is done, spread the rest over processes, write the table."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from direction_finder.discovery.configs import DEFAULT
from direction_finder.discovery.estimates import Cost
from direction_finder.errors import InputError
from direction_finder.files import CONFIG
from direction_finder.generators import Untold
from direction_finder.locks import LOCK, locked
from direction_finder.parallel import Died, available_cores, in_lasting_processes
from direction_finder.progress import OnStep, Progress, Reporting, reporting
from direction_finder.runs import learning
from direction_finder.runs.learning import Search
from direction_finder.runs.loading import Loader
from direction_finder.settings import MOST_THREADS, SAVE_EVERY, check_number
from direction_finder.sweeps import table
from direction_finder.sweeps.plan import Middles, Wanted, existing, planned, shard_of
from direction_finder.sweeps.table import Row
from direction_finder.sweeps.tasks import DONE, FAILED, LEFT, Outcome, Source, Task, carry_out, is_done, unload

MOST_WORKERS = 1024
Several = str | int | Sequence[str] | Sequence[int] | None


@dataclasses.dataclass(frozen=True)
class How:
    """Hold how a sweep is carried out.

    workers: number of processes (None: one a core, or a single one on a GPU); 1: this process. threads: of each
    worker. shard: (number, count), counted from 1: carry out only every count-th run.
    """

    workers: int | None = None
    threads: int = 1
    shard: tuple[int, int] | None = None
    save_every: float = SAVE_EVERY

    def __post_init__(self) -> None:
        if self.workers is not None:
            check_number("workers", self.workers, int, least=1, most=MOST_WORKERS)
        check_number("threads", self.threads, int, least=1, most=MOST_THREADS)
        check_number("save_every", self.save_every, float, least=0)
        if self.shard is not None:
            shard_of([], self.shard)

    def workers_for(self, device: str, runs: int) -> int:
        """Return the number of processes for so many runs."""
        return max(1, min(runs, self.workers or (available_cores() if device == "cpu" else 1)))


class Forecast(NamedTuple):
    """Hold what a sweep would do. names, left: of all runs, and of those left. cost: of these, on `workers`."""

    names: list[str]
    left: list[str]
    workers: int
    cost: Cost


def sweep(
    generator: str,
    out: str | Path,
    method: str | Sequence[str] = DEFAULT,
    *,
    class_name: Several = None,
    part: str | Sequence[str] | None = None,
    seed: int | Sequence[int] = 0,
    workers: int | None = None,
    shard: tuple[int, int] | None = None,
    threads: int = 1,
    device: str = "auto",
    loading: Mapping[str, Any] | None = None,
    save_every: float = SAVE_EVERY,
    progress: Reporting = None,
    **settings: Any,
) -> list[Row]:
    """Find directions in many runs, one for each method, class, part and seed, and return a table of them.

    Every run is a folder below `out` that holds what `learn` would have made with the same number of threads. Runs that
    are done are left out, interrupted ones are resumed; so repeat the call after any interruption. A run that fails
    does not end the others.

    generator: what `load_generator` takes; every process loads it. method, class_name, part, seed: one or several; a
    class "0-9" stands for ten. workers: number of processes (None: one a core, or a single one on a GPU); 1: this
    process. shard: (number, count), counted from 1: carry out only every count-th run. threads: of each worker.
    loading: arguments of `load_generator`. progress: is also called now and then between two runs. settings: fields of
    the methods' configurations; each is for those methods that have it.

    Returns one dict for each run, see `sweeps.table.Row`: `class`, `part`, `method`, `seed`, `status` (done, failed or
    left), `passes`, `gradients`, `seconds`, `share`, `random_share`, `reason` and `folder`. `runs.csv` and `runs.jsonl`
    in `out` hold the same.

    >>> table = df.sweep("shapes-64", "outputs/sweep", class_name=["cube", "sphere"], seed=range(3), points=24)

    Raises InputError for settings that do not fit, Unfinished if worker processes cannot be started.
    """
    how = How(workers, threads, shard, save_every)
    wanted = wanted_of(method, class_name, part, seed)
    with reporting(progress) as on_step, _threads(threads):
        return carried_out(source_of(generator, device, loading or {}), Path(out), wanted, settings, how, on_step)


def forecast(
    generator: str,
    out: str | Path,
    method: str | Sequence[str] = DEFAULT,
    *,
    class_name: Several = None,
    part: str | Sequence[str] | None = None,
    seed: int | Sequence[int] = 0,
    how: How | None = None,
    device: str = "auto",
    loading: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Forecast:
    """Return what `sweep` would cost, and write nothing. The arguments are those of `sweep`, some of them in `how`.

    One of the runs that differ only in class and seed is carried out in part, and measured.
    """
    how = how or How()
    source, wanted = source_of(generator, device, loading or {}), wanted_of(method, class_name, part, seed)
    try:
        with _threads(how.threads):
            searches = planned(source.load(), wanted, learning.absolute_start(settings))
            left = list(_missing(Path(out), searches, source, how))
            costs = learning.costs([searches[name] for name in left])
    finally:
        unload()
    workers = how.workers_for(source.device, len(left))
    seconds, largest = sum(cost.seconds for cost in costs), max((cost.gib for cost in costs), default=0.0)
    shared = max(seconds / workers, max((cost.seconds for cost in costs), default=0.0))
    return Forecast(list(searches), left, workers, Cost(sum(cost.images for cost in costs), shared, largest * workers))


def wanted_of(method: Several, class_name: Several, part: Several, seed: int | Sequence[int]) -> Wanted:
    """Return what is asked for from arguments that are one or several."""
    seeds = (seed,) if isinstance(seed, int) else tuple(seed)
    return Wanted(_texts(method), _texts(class_name), _texts(part), seeds)


def source_of(generator: str, device: str, loading: Mapping[str, Any]) -> Source:
    """Return how processes load a generator. Raises InputError for anything but a text, and unknown arguments."""
    if not isinstance(generator, str):
        raise InputError("every process of a sweep loads the generator: give what `load_generator` takes, a text")
    rest = dict(loading)
    truncation = rest.pop("truncation", None)
    if unknown := rest.keys() - {field.name for field in dataclasses.fields(Untold)}:
        raise InputError(f"loading: load_generator has no argument {min(unknown)}")
    return Source(generator, truncation, Untold(**rest), Loader(device).device)


def carried_out(
    source: Source,
    out: Path,
    wanted: Wanted,
    settings: Mapping[str, Any],
    how: How,
    on_step: OnStep | None = None,
) -> list[Row]:
    """Carry out a sweep in the folder `out` and return its table. Errors are those of `sweep`."""
    if (out / CONFIG).exists():
        raise InputError(f"{out}: is a run folder; give another folder as `out`")
    name = LOCK if how.shard is None else f"{LOCK}-{how.shard[0]}-of-{how.shard[1]}"
    with locked(out, create=True, name=name):
        table.check_table(out)
        try:
            searches = planned(source.load(), wanted, learning.absolute_start(dict(settings)))
            tasks = _missing(out, searches, source, how)
            rows = {name: table.unbegun(name, search.content()) for name, search in searches.items()}
            workers = how.workers_for(source.device, len(tasks))
            if workers > 1:
                searches.clear()
                unload()  # only the workers need it from here on
            total = len(list(shard_of(list(rows), how.shard)))
            return _finished(out, rows, tasks, workers, _Report(total, total - len(tasks), on_step))
        finally:
            unload()


def _missing(out: Path, searches: Mapping[str, Search], source: Source, how: How) -> dict[str, Task]:
    """Return the tasks that are left, after checking that all folders fit."""
    middles: Middles = {}
    runs = {name: existing(out / name, search, middles) for name, search in searches.items()}
    return {
        name: Task(
            out / name,
            source,
            searches[name].record,
            searches[name].method,
            searches[name].config,
            searches[name].part,
            how.threads,
            how.save_every,
        )
        for name in shard_of(list(searches), how.shard)
        if not ((run := runs[name]) and is_done(run))
    }


def _finished(
    out: Path, rows: Mapping[str, Row], tasks: Mapping[str, Task], workers: int, report: "_Report"
) -> list[Row]:
    """Carry out the tasks, and write the table also if that is interrupted."""
    names, outcomes = list(tasks), dict[str, Outcome]()
    try:
        for number, result in in_lasting_processes(carry_out, list(tasks.values()), workers, report.stopping):
            outcome = Outcome(FAILED, _death(result)) if isinstance(result, Died) else result
            if outcome.ending:
                raise outcome.ending
            outcomes[names[number]] = outcome
            report.count(outcome)
    finally:
        listed = table.update(out, rows, outcomes)
    return listed


def _death(died: Died) -> str:
    return (
        f"its worker process died each time (exit code {died.code}), perhaps because memory ran out: repeat the sweep "
        "with fewer workers"
    )


class _Report:
    """Counts what is done, failed and left, tells `on_step`, and asks it whether to stop."""

    def __init__(self, total: int, done: int, on_step: OnStep | None):
        self.total, self.done, self.failed, self.on_step = total, done, 0, on_step
        self.stopped = False

    def count(self, outcome: Outcome) -> None:
        """Count a run that has ended."""
        self.done += outcome.status == DONE
        self.failed += outcome.status == FAILED
        if outcome.status != LEFT:
            self.stopping()

    def stopping(self) -> bool:
        """Report the counts; return whether the sweep was asked to stop."""
        ended = self.done + self.failed
        if self.on_step and not self.stopped:
            values: dict[str, float] = {"done": self.done, "failed": self.failed, "left": self.total - ended}
            progress = Progress(ended, self.total, "sweep", values, unit="run")
            self.on_step(progress)
            self.stopped = progress.stopped
        return self.stopped


def _texts(value: Several) -> tuple[str, ...]:
    """Return one or several names as texts."""
    if value is None:
        return ()
    return (str(value),) if isinstance(value, str | int) else tuple(map(str, value))


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """Compute with this number of threads, and with as many as before in the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
