"""Work in processes: every task once, no more started after the caller has enough."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from direction_finder.errors import Unfinished
from direction_finder.parallel import TRIES, Died, available_cores, in_lasting_processes, in_processes
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


def lasting(task: int, stopping) -> tuple[int, int]:
    """Negative numbers kill the process; 0 waits until it is asked to stop."""
    if task < 0:
        die(task)
    while not task and not stopping():
        time.sleep(0.01)
    return task, os.getpid()


def test_lasting_processes_replace_the_one_that_dies_and_keep_the_others():
    results = dict(in_lasting_processes(lasting, [1, -1, *range(2, 9)], workers=2))
    assert results.pop(1) == Died(-signal.SIGKILL)
    assert sorted(value for value, _ in results.values()) == list(range(1, 9))
    assert os.getpid() not in {process for _, process in results.values()}
    assert len({process for _, process in results.values()}) <= 2 + TRIES


def test_lasting_processes_stop_when_they_are_asked_and_begin_no_more():
    begun = time.monotonic()
    results = {}
    for number, result in in_lasting_processes(lasting, [1, 0, 0, 0], 2, lambda: 0 in results):
        results[number] = result
    assert 0 in results and set(results) <= {0, 1, 2} and time.monotonic() - begun < 60
    assert not [child for child in multiprocessing.active_children() if child.name.startswith("SpawnProcess")]


def test_lasting_work_of_one_worker_is_done_here():
    assert list(in_lasting_processes(lasting, [4, 5], 1)) == [(0, (4, os.getpid())), (1, (5, os.getpid()))]
    assert list(in_lasting_processes(lasting, [4], 1, lambda: True)) == []


UNGUARDED = """
from direction_finder.parallel import in_lasting_processes
from tests.test_parallel import lasting
print(list(in_lasting_processes(lasting, [1, 2], 2)))
"""


def test_a_script_without_a_guard_is_told_what_to_do(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(UNGUARDED)
    root = Path(__file__).parent.parent
    ended = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert ended.returncode == 1 and 'put the call below if __name__ == "__main__":' in ended.stderr


def test_cores_that_may_be_used():
    assert 1 <= available_cores() <= os.cpu_count()
