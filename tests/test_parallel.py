"""Work in processes: every task once, no more started after the caller has enough."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from direction_finder.errors import Unfinished
from direction_finder.parallel import available_cores, in_processes
from tests.process import wait_for


def square(number: int) -> tuple[int, int]:
    return number * number, os.getpid()


def touch(path: str) -> str:
    time.sleep(0.05)
    open(path, "w").close()
    return path


def test_every_task_is_done_once_and_elsewhere():
    results = list(in_processes(square, range(20), workers=2))
    assert sorted(value for value, _ in results) == [number**2 for number in range(20)]
    assert os.getpid() not in {process for _, process in results}


def test_no_task_is_started_after_the_caller_stops(tmp_path):
    for _ in in_processes(touch, (str(tmp_path / str(i)) for i in range(100)), workers=2):
        break
    done = len(list(tmp_path.iterdir()))
    assert 1 <= done <= 8
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) == done


def die(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_dies_is_an_error():
    with pytest.raises(Unfinished, match=r"a worker process died.*with fewer `workers`"):
        list(in_processes(die, range(3), workers=2))


ORPHANS = """
import os, time
from direction_finder.parallel import in_processes
from tests.test_parallel import square
for _, process in in_processes(square, range(100), 2):
    print(process, flush=True)
    time.sleep(60)
"""


def test_processes_end_with_their_parent():
    parent = subprocess.Popen([sys.executable, "-c", ORPHANS], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    wait_for(lambda: not alive(worker), 20)


def alive(process: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_one_worker_is_this_process():
    assert list(in_processes(square, [3], workers=1)) == [(9, os.getpid())]


def test_cores_that_may_be_used():
    assert 1 <= available_cores() <= os.cpu_count()
