"""Carry out the runs of a sweep on a Ray cluster that exists: workers on its nodes, each one run after another.

Every worker loads the generator once, from its name, as processes on one machine do. It is not sent through Ray's
object store: that would save no memory, because torch copies what it gets from there, and nodes have to see the folder
of the sweep anyway, so weights may lie beside it. No Ray is started here.
"""

import logging
import os
import socket
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from direction_finder.errors import InputError, MissingExtra
from direction_finder.numerals import ordinal
from direction_finder.parallel import Died, Stopping, by_crew, same_signals
from direction_finder.sweeps.nodes import Crew, Measurers, Wanted
from direction_finder.sweeps.tasks import Outcome, Task

EXTRA = "cluster"
AUTO = "auto"
ANSWER = 10.0  # seconds in which a cluster answers
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # the answer has the kind 4 too


def check_address(address: str) -> None:
    """Raise InputError unless an address is "auto" or HOST:PORT."""
    host, _, port = address.rpartition(":")
    if address != AUTO and not (host and "/" not in host and 0 < (ordinal(port) or 0) < 65536):
        raise InputError(f"`address` {address}: expected {AUTO}, or HOST:PORT of a Ray cluster, e.g. 10.0.0.1:6379")


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Connect this process to a Ray cluster; one that it is connected to already is used, whatever the address.

    Raises InputError if there is no cluster at the address, MissingExtra if Ray is not installed.
    """
    try:
        import ray
        from ray._private import worker
    except ImportError as error:
        raise MissingExtra("a sweep on Ray", EXTRA) from error
    if ray.is_initialized():
        yield
        return
    place = _answering(address)
    with same_signals(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ray.init(address=place, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError, SystemExit) as error:  # e.g. another version of Ray
            raise InputError(f"no Ray cluster can be used at {place}: {error}") from error
    shown: Any = getattr(worker, "print_to_stdstream", None)
    worker.print_to_stdstream = lambda *_, **__: None  # long logs of workers and nodes that died
    try:
        yield
    finally:
        ray.shutdown()
        worker.print_to_stdstream = shown


def _answering(address: str) -> str:
    """Return HOST:PORT of a cluster that answers; Ray itself would try for minutes."""
    from ray._private.services import canonicalize_bootstrap_address_or_die

    try:
        place = canonicalize_bootstrap_address_or_die(address)
        host, _, port = place.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER) as link:
            link.sendall(GREETING)
            answers = "RAY_USE_TLS" in os.environ or link.recv(9)[3:4] == GREETING[-6:-5]
    except (OSError, ValueError) as error:
        raise InputError(f"no Ray cluster at the address {address} ({error}); start one with `ray start`") from error
    if not answers:
        raise InputError(f"no Ray cluster at the address {address}, but another program")
    return place


def device_of(name: str) -> str:
    """Return the device on which the workers of the cluster compute; "auto": GPUs, if there are any."""
    import ray

    return name if name != AUTO else "cuda" if ray.cluster_resources().get("GPU") else "cpu"


def in_cluster(tasks: Sequence[Task], workers: int | None, stopping: Stopping) -> Iterator[tuple[int, Outcome | Died]]:
    """Yield what `parallel.in_lasting_processes` does for `carry_out`, from workers on the nodes of a cluster.

    workers: the most at once (None: as many as the nodes have room for). The memory that a worker asks for is measured
    first, on one task of each kind. Raises InputError if no node has room for a worker, if one cannot load the
    generator or does not see the folder, and Unfinished if workers die while they start.
    """
    if not tasks:
        return
    source, threads = tasks[0].source, tasks[0].threads
    gpus = 0 if source.device.startswith("cpu") else 1
    wanted = Wanted(threads, gpus, 0 if gpus else _memory(tasks, Wanted(threads, 0, 0), stopping))
    yield from by_crew(Crew("carry_out", tasks[0], wanted, workers), tasks, stopping)


def _memory(tasks: Sequence[Task], wanted: Wanted, stopping: Stopping) -> int:
    """Return how many bytes the largest of the tasks takes at its peak; 0 if that could not be measured."""
    kinds = {(task.method, task.config.kind): task for task in tasks}
    crew = Measurers("memory", tasks[0], wanted, 1)
    return max((need for _, need in by_crew(crew, list(kinds.values()), stopping) if isinstance(need, int)), default=0)
