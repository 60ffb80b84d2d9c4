"""Run tasks in several processes of one thread each."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any

from direction_finder.errors import Unfinished


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


def _quiet() -> None:
    """Leave Ctrl-C, which the terminal sends to all processes, to the parent; end when the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)
