"""The command line in a process of its own, which can be killed."""

import multiprocessing
import time
from collections.abc import Callable

from direction_finder.commands import main

FORKED = multiprocessing.get_context("forkserver")
# new processes fork from one that has imported torch, so that starting one takes no seconds
FORKED.set_forkserver_preload(["direction_finder.commands.actions.learn", "torch._dynamo", "tests.process"])


def run(arguments: list[str]) -> None:
    main(arguments)


def start(*arguments: object) -> multiprocessing.Process:
    process = FORKED.Process(target=run, args=([str(argument) for argument in arguments],))
    process.start()
    return process


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until a condition holds; fail after a minute, as what is waited for will not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited for {seconds:g} seconds"
        time.sleep(0.005)


def finish(process: multiprocessing.Process) -> int:
    """Wait for its end; its exit code."""
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode
