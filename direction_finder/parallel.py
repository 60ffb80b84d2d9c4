"""Run tasks in several processes of one thread each."""

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import connection
from typing import Any, NamedTuple, Protocol

from direction_finder.errors import Unfinished

TRIES = 3  # times that a task is tried if the processes that work on it die
TICK = 0.2  # seconds between two questions whether to stop
Stopping = Callable[[], bool]
Lasting = Callable[[Any, Stopping], Any]
"""Called with a task, and with a callable that says whether to stop soon."""


def available_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(function: Callable[[Any], Any], tasks: Iterable[Any], workers: int) -> Iterator[Any]:
    """Yield `function(task)` for every task as soon as it is done, in any order.

    function: importable by name, as `pickle` requires. workers: number of processes; 1 means this process. Tasks are
    taken from the iterable when workers become free. When the caller stops early, or Ctrl-C is pressed, the tasks that
    have begun are finished and no others are started. Raises Unfinished if a process dies.
    """
    tasks = iter(tasks)
    if workers == 1:
        yield from map(function, tasks)
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_quiet)
    try:
        running = {pool.submit(function, task) for task in islice(tasks, 2 * workers)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(function, task) for task in islice(tasks, len(done))}
            for future in done:
                yield future.result()
    except BrokenProcessPool as error:
        raise Unfinished(
            "a worker process died, perhaps because memory ran out: repeat the command to resume, with fewer `workers`"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


class Died(NamedTuple):
    """The result of a task whose process died each time; `code` is the last one's exit code."""

    code: int | None


def in_lasting_processes(
    function: Lasting, tasks: Sequence[Any], workers: int, stopping: Stopping = lambda: False
) -> Iterator[tuple[int, Any]]:
    """Yield (number of the task, `function(task, stopping)`) for every task as soon as it is done, in any order.

    function: importable by name. workers: number of processes, each of which does one task after another; 1 means this
    process. A process that dies is replaced and its task tried again, at most `TRIES` times; the others go on, so that
    what they have loaded is not lost. stopping: asked several times a second; once it answers True, no more tasks are
    started, and those that have begun are asked to stop. Raises Unfinished if processes cannot be started.
    """
    if workers == 1:
        for number, task in enumerate(tasks):
            if stopping():
                return
            yield number, function(task, stopping)
        return
    yield from by_crew(_Crew(function, workers), tasks, stopping)


class Crew(Protocol):
    """Workers that carry out tasks somewhere, see `_Crew`."""

    @property
    def busy(self) -> int:
        """Return the number of tasks that have been begun and have no result."""

    def has_room(self, left: int) -> bool:
        """Return whether a task can be begun now. left: the number of tasks that wait."""

    def begin(self, number: int, task: Any) -> None:
        """Begin a task."""

    def results(self) -> Iterator[tuple[int, Any]]:
        """Wait for a moment, and yield the numbers of tasks that are done with their results, or with `Died`."""

    def stop(self) -> None:
        """Ask all workers to end soon."""

    def end(self) -> None:
        """End all workers."""


def by_crew(crew: Crew, tasks: Sequence[Any], stopping: Stopping) -> Iterator[tuple[int, Any]]:
    """Yield what `in_lasting_processes` does, from the workers of a crew, and end it."""
    died, left = Counter[int](), deque(range(len(tasks)))
    try:
        while left or crew.busy:
            if stopping():
                left.clear()
                crew.stop()
            while left and crew.has_room(len(left)):
                crew.begin(number := left.popleft(), tasks[number])
            for number, result in crew.results():
                died[number] += isinstance(result, Died)
                if isinstance(result, Died) and died[number] < TRIES:
                    left.append(number)
                else:
                    yield number, result
    finally:
        crew.end()


class _Crew:
    """Processes that wait for tasks. working, idle: the pipes to those that do and do not have one."""

    def __init__(self, function: Lasting, most: int):
        self.function, self.most = function, most
        self.context = multiprocessing.get_context("spawn")
        self.processes: dict[connection.Connection, Any] = {}
        self.working: dict[connection.Connection, int] = {}
        self.idle: list[connection.Connection] = []
        self.ready = self.stopped = False

    @property
    def busy(self) -> int:
        return len(self.working)

    def has_room(self, left: int) -> bool:
        return self.busy < self.most

    def begin(self, number: int, task: Any) -> None:
        """Give a task to an idle process, or to a new one."""
        pipe = self.idle.pop() if self.idle else self._hire()
        self.working[pipe] = number
        with suppress(OSError):  # it has just died, which `results` finds out
            pipe.send(task)

    def _hire(self) -> connection.Connection:
        pipe, other = self.context.Pipe()
        process = self.context.Process(target=_serve, args=(self.function, other))
        process.start()
        other.close()
        self.processes[pipe] = process
        return pipe

    def results(self) -> Iterator[tuple[int, Any]]:
        """Wait for a moment, and yield the tasks that are done with their results."""
        for pipe in connection.wait(list(self.working), TICK):
            assert isinstance(pipe, connection.Connection)
            try:
                message = pipe.recv()
            except (EOFError, OSError):
                yield self.working.pop(pipe), self._buried(pipe)
                continue
            self.ready = True
            if message is not None:  # it has more to say than that it has started
                self.idle.append(pipe)
                yield self.working.pop(pipe), message[0]

    def _buried(self, pipe: connection.Connection) -> Died:
        pipe.close()
        process = self.processes.pop(pipe)
        process.join()
        if not self.ready:
            raise Unfinished(
                f"a worker process ended with exit code {process.exitcode} while it started; set `workers` to 1, or, "
                'in a script, put the call below if __name__ == "__main__":'
            )
        return Died(process.exitcode)

    def stop(self) -> None:
        """Ask all processes to end soon; a function at work finds out by what it was given."""
        if not self.stopped:
            self.stopped = True
            for pipe in self.processes:
                with suppress(OSError):
                    pipe.send(None)

    def end(self) -> None:
        """Wait until all processes have ended; end them at once if that is interrupted."""
        try:
            self.stop()
            for process in self.processes.values():
                process.join()
        except BaseException:
            for process in self.processes.values():
                process.kill()
            raise
        finally:
            for pipe in self.processes:
                pipe.close()


@contextmanager
def same_signals() -> Iterator[None]:
    """Give every signal that stops a process its handler back, whatever the code within has installed."""
    here = threading.current_thread() is threading.main_thread()  # other threads cannot
    names = ("SIGINT", "SIGTERM", "SIGHUP") if here else ()
    before = {number: signal.getsignal(number) for name in names if (number := getattr(signal, name, None))}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _serve(function: Lasting, pipe: connection.Connection) -> None:
    """Do tasks until there are no more."""
    _quiet()
    pipe.send(None)
    with suppress(EOFError):
        while (task := pipe.recv()) is not None:
            pipe.send((function(task, pipe.poll),))


def _quiet() -> None:
    """Leave Ctrl-C, which the terminal sends to all processes, to the parent; end when the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
