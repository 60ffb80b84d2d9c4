"""Work in processes: every task once, no more started after the caller has enough."""

import os
import time

from direction_finder.parallel import available_cores, in_processes


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


def test_one_worker_is_this_process():
    assert list(in_processes(square, [3], workers=1)) == [(9, os.getpid())]


def test_cores_that_may_be_used():
    assert 1 <= available_cores() <= os.cpu_count()
