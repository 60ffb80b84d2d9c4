"""Workers on the nodes of a Ray cluster, and the crew that hires them, gives them tasks and replaces lost ones."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from direction_finder.discovery.estimates import estimate
from direction_finder.discovery.tuning import GIB
from direction_finder.errors import DirectionFinderError, InputError, Unfinished, one_line
from direction_finder.locks import LOCK
from direction_finder.parallel import TICK, TRIES, Died
from direction_finder.sweeps import tasks
from direction_finder.sweeps.tasks import Outcome, Source, Task
from direction_finder.version import package_version

LOOK = 10.0  # seconds between two looks at the nodes of a cluster


class Wanted(NamedTuple):
    """Hold what a worker asks its node for. memory: in bytes; 0: not asked for."""

    cpus: int
    gpus: int
    memory: int

    def __str__(self) -> str:
        parts = [f"{self.cpus} CPU", f"{self.gpus} GPU", f"{self.memory / GIB:.2g} GiB of memory"]
        return " and ".join(part for part, number in zip(parts, self, strict=True) if number)

    def room(self, node: dict[str, Any]) -> int:
        """Return how many workers a node of `ray.nodes()` has room for."""
        has = [node["Resources"].get(name, 0) for name in ("CPU", "GPU", "memory")] if node["Alive"] else [0, 0, 0]
        return min(int(have // want) for have, want in zip(has, self, strict=True) if want)


class Worker:
    """Carry out one task after another on a node. Its methods run in threads: `stop` beside the one at work."""

    def __init__(self, here: str, folder: Path, source: Source):
        with suppress(OSError):  # where a module of the user's generator is searched
            os.chdir(here)
        self.folder, self.source, self.stopping = folder, source, threading.Event()

    def begin(self, version: str) -> str | None:
        """Load the generator; return why that is not possible, or None."""
        if package_version() != version:
            return f"has direction-finder {package_version()}, not {version}"
        if not list(self.folder.glob(f"{LOCK}*")):  # which this sweep holds
            return f"does not see the folder {self.folder}; all nodes need to share it"
        try:
            self.source.load()
        except (DirectionFinderError, OSError) as error:
            return f"cannot load the generator ({error}); all nodes need the weights"
        return None

    def memory(self, task: Task) -> int | None:
        """Return how many bytes a run takes at its peak, or None if that cannot be measured."""
        try:
            search = task.search()
            return int(estimate(search.generator, search.method, search.settled().config).gib * GIB)
        except Exception:  # which `carry_out` will meet as well, and tell
            return None

    def carry_out(self, task: Task) -> Outcome:
        """Begin or resume a run, unless it is done."""
        return tasks.carry_out(task, self.stopping.is_set)

    def stop(self) -> None:
        """Ask the run at work to stop after its step."""
        self.stopping.set()


class Crew:
    """Workers on a cluster, as `parallel.by_crew` asks for them.

    method: of a worker, which is called with a task. task: one of those, for what all have in common. most: workers
    (None: as many as there is room for).
    """

    def __init__(self, method: str, task: Task, wanted: Wanted, most: int | None):
        import ray

        self.ray: Any = ray
        self.method, self.wanted, self.most = method, wanted, most
        asked = {"num_cpus": wanted.cpus, "num_gpus": wanted.gpus, "memory": wanted.memory or None}
        self.hired = self.ray.remote(max_concurrency=2, max_restarts=0, **asked)(Worker)
        self.given = os.getcwd(), task.folder.parent, task.source
        self.starting: dict[Any, Any] = {}  # by what they will answer
        self.working: dict[Any, tuple[int, Any]] = {}
        self.idle: list[Any] = []
        self.looked, self.lost, self.stopped = -LOOK, 0, False

    @property
    def busy(self) -> int:
        """The number of tasks that have been begun."""
        return len(self.working)

    def has_room(self, left: int) -> bool:
        """Return whether a worker is free, after hiring as many as make sense for so many tasks."""
        if time.monotonic() - self.looked >= LOOK:
            self.looked = time.monotonic()
            here = len(self.starting) + len(self.working) + len(self.idle)
            room = sum(map(self.wanted.room, self.ray.nodes()))
            if not room and not self.working:
                raise InputError(f"no node of the cluster has {self.wanted}, which a run needs")
            for _ in range(min(room, left + self.busy, self.most or room) - here):
                worker = self.hired.remote(*self.given)
                self.starting[worker.begin.remote(package_version())] = worker
        return bool(self.idle)

    def begin(self, number: int, task: Task) -> None:
        """Give a task to a free worker."""
        worker = self.idle.pop()
        self.working[getattr(worker, self.method).remote(task)] = number, worker

    def results(self) -> Iterator[tuple[int, Any]]:
        """Wait for a moment, and yield the tasks that are done with their results."""
        waiting = [*self.working, *self.starting]
        if not waiting:
            time.sleep(TICK)
            return
        for ready in self.ray.wait(waiting, timeout=TICK)[0]:
            if ready in self.starting:
                self._started(ready, self.starting.pop(ready))
                continue
            number, worker = self.working.pop(ready)
            try:
                result = self.ray.get(ready)
                self.idle.append(worker)
            except self.ray.exceptions.RayError:
                result = self._buried(worker)
            yield number, result

    def _started(self, ready: Any, worker: Any) -> None:
        """Welcome a worker. Raises InputError if it cannot work, Unfinished if all die while they start."""
        try:
            problem = self.ray.get(ready)
        except self.ray.exceptions.RayError as error:
            self._buried(worker)
            self.lost += 1
            if self.lost >= TRIES:
                last = one_line(str(error).strip().splitlines()[-1])
                raise Unfinished(
                    f"workers of the cluster die while they start ({last}); every node needs direction-finder"
                ) from error
            return
        if problem:
            raise InputError(f"a worker of the cluster {problem}")
        self.idle.append(worker)
        self.lost = 0

    def _buried(self, worker: Any) -> Died:
        """Make sure that a worker has ended, as it may be that only its node cannot be reached."""
        self.ray.kill(worker)
        self.looked = -LOOK
        return Died(None)

    def stop(self) -> None:
        """Ask the workers to stop soon."""
        if not self.stopped:
            self.stopped = True
            for _, worker in self.working.values():
                worker.stop.remote()

    def end(self) -> None:
        """End all workers, once those at work have stopped; at once if that is interrupted."""
        self.stop()
        try:
            if self.working:
                self.ray.wait(list(self.working), num_returns=self.busy)
        finally:
            for worker in [*self.idle, *self.starting.values(), *(worker for _, worker in self.working.values())]:
                self.ray.kill(worker)


class Measurers(Crew):
    """Workers that measure. What they do is not saved, so that they end at once when they are to stop."""

    def stop(self) -> None:
        """End those at work."""
        for _, worker in self.working.values():
            self.ray.kill(worker)
        self.working.clear()
