"""Carry out a sweep: plan it, leave out what is done, spread the rest over processes, write the table."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch

from direction_finder.discovery.configs import DEFAULT
from direction_finder.discovery.estimates import Cost
from direction_finder.errors import InputError
from direction_finder.files import CONFIG
from direction_finder.generators import Untold
from direction_finder.locks import LOCK, locked
from direction_finder.progress import OnStep, Reporting, reporting
from direction_finder.runs import learning
from direction_finder.runs.learning import Search
from direction_finder.runs.loading import Loader
from direction_finder.runs.uploads import uploading
from direction_finder.settings import SAVE_EVERY
from direction_finder.sweeps import cluster, page, table
from direction_finder.sweeps.plan import Middles, Wanted, existing, planned, shard_of
from direction_finder.sweeps.running import How, finished
from direction_finder.sweeps.table import Row
from direction_finder.sweeps.tasks import Source, Task, is_done, unload

Several = str | int | Sequence[str] | Sequence[int] | None


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
    together: bool = False,
    part: str | Sequence[str] | None = None,
    seed: int | Sequence[int] = 0,
    workers: int | None = None,
    address: str | None = None,
    shard: tuple[int, int] | None = None,
    upload: str | None = None,
    threads: int = 1,
    device: str = "auto",
    loading: Mapping[str, Any] | None = None,
    save_every: float = SAVE_EVERY,
    rank: bool = False,
    progress: Reporting = None,
    **settings: Any,
) -> list[Row]:
    """Find directions in many runs, one for each method, class, part and seed, and return a table of them.

    Every run is a folder below `out` that holds what `learn` would have made with the same number of threads. Runs that
    are done are left out, interrupted ones are resumed; so repeat the call after any interruption. A run that fails
    does not end the others.

    generator: what `load_generator` takes; every process loads it. method, class_name, part, seed: one or several; a
    class "0-9" stands for ten. together: also one run for all classes, as `find` with several. workers: number of
    processes (None: one a core, or a single one on a GPU); 1: this process. address: "auto" or HOST:PORT of a Ray
    cluster whose nodes carry out the runs, `workers` at once (None: as many as they have room for). shard: (number,
    count), counted from 1: carry out only every count-th run. upload: address of a folder, for fsspec, to which each
    run is copied once it is finished. threads: of each worker. loading: arguments of `load_generator`. rank: also rank
    each run, as `rank` does, and render strips of its best directions from one sample. progress: is also called now
    and then between two runs. settings: fields of the methods' configurations; each is for those methods that have it.

    Returns one dict for each run, see `sweeps.table.Row`: `class`, `classes`, `part`, `method`, `seed`, `status` (done,
    failed or left), `passes`, `gradients`, `seconds`, `share`, `random_share`, `short_list`, `reason` and `folder`.
    `runs.csv` and `runs.jsonl` in `out` hold the same, `index.html` shows it, `shared.csv` says what classes share.

    >>> table = df.sweep("shapes-64", "outputs/sweep", class_name=["cube", "sphere"], seed=range(3), points=24)

    Raises InputError for settings that do not fit, Unfinished if worker processes cannot be started or finished runs
    cannot be copied.
    """
    how = How(workers, threads, shard, save_every, address, upload, rank)
    source = source_of(generator, device, loading or {}, address)
    wanted = wanted_of(method, class_name, part, seed, together)
    with reporting(progress) as on_step:
        return carried_out(source, Path(out).absolute(), wanted, settings, how, on_step)


def forecast(source: Source, out: Path, wanted: Wanted, settings: Mapping[str, Any], how: How) -> Forecast:
    """Return what a sweep would cost, and write nothing. The arguments and errors are those of `carried_out`.

    One of the runs that differ only in class and seed is carried out in part, and measured.
    """
    try:
        with _threads(how.threads):
            searches = planned(source.load(), wanted, learning.absolute_start(dict(settings)))
            left = list(_missing(out, searches, source, how))
            costs = learning.costs([searches[name] for name in left])
    finally:
        unload()
    workers = how.workers_for(source.device, len(left))
    seconds, largest = sum(cost.seconds for cost in costs), max((cost.gib for cost in costs), default=0.0)
    shared = max(seconds / workers, max((cost.seconds for cost in costs), default=0.0))
    return Forecast(list(searches), left, workers, Cost(sum(cost.images for cost in costs), shared, largest * workers))


def wanted_of(
    method: Several, class_name: Several, part: Several, seed: int | Sequence[int], together: bool = False
) -> Wanted:
    """Return what is asked for from arguments that are one or several."""
    seeds = (seed,) if isinstance(seed, int) else tuple(seed)
    return Wanted(_texts(method), _texts(class_name), _texts(part), seeds, together)


def source_of(generator: str, device: str, loading: Mapping[str, Any], address: str | None = None) -> Source:
    """Return how processes load a generator; the nodes of a cluster at an address have devices of their own.

    Raises InputError for anything but a text, and unknown arguments.
    """
    if not isinstance(generator, str):
        raise InputError("every process of a sweep loads the generator: give what `load_generator` takes, a text")
    rest = dict(loading)
    truncation = rest.pop("truncation", None)
    if unknown := rest.keys() - {field.name for field in dataclasses.fields(Untold)}:
        raise InputError(f"loading: load_generator has no argument {min(unknown)}")
    return Source(generator, truncation, Untold(**rest), device if address else Loader(device).device)


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
    with (
        locked(out, create=True, name=name),
        uploading(how.upload, out) as uploaded,
        _threads(how.threads),
        cluster.connected(how.address) if how.address else nullcontext(),
    ):
        table.check_table(out)
        page.check(out)
        here = source
        if how.address:  # the runs are on devices of the nodes
            here = dataclasses.replace(source, device="cpu")
            source = dataclasses.replace(source, device=cluster.device_of(source.device))
        try:
            searches = planned(here.load(), wanted, learning.absolute_start(dict(settings)))
            tasks = _missing(out, searches, source, how)
            rows = {name: table.unbegun(name, search.content()) for name, search in searches.items()}
            if how.address or how.workers_for(source.device, len(tasks)) > 1:
                searches.clear()
                unload()  # only the workers need it from here on
            return finished(out, rows, tasks, how, uploaded, on_step)
        finally:
            unload()


def _missing(out: Path, searches: Mapping[str, Search], source: Source, how: How) -> dict[str, Task]:
    """Return the tasks that are left, after checking that all folders fit."""
    middles: Middles = {}
    device = source.device if how.address else None
    runs = {name: existing(out / name, search, device, middles) for name, search in searches.items()}
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
            how.rank,
        )
        for name in shard_of(list(searches), how.shard)
        if not ((run := runs[name]) and is_done(run, how.rank))
    }


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
