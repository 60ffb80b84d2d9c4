"""Sweeps on Ray: what is refused without it, and the cases of tests/cluster_cases.py."""

import os
import sys
from types import SimpleNamespace

import pytest

from direction_finder.errors import InputError, Unfinished
from direction_finder.generators import Untold
from direction_finder.locks import locked
from direction_finder.parallel import Died, by_crew
from direction_finder.sweeps import nodes, running
from direction_finder.sweeps.cluster import check_address
from direction_finder.sweeps.nodes import Crew, Measurers, Wanted, Worker
from direction_finder.sweeps.tasks import Outcome, Source, Task, unload
from direction_finder.version import package_version
from tests import netless
from tests.conftest import NUM_CLASSES, call


@pytest.mark.parametrize("address", ["", "here", "10.0.0.1", ":6379", "host:0", "host:65536", "ray://host:10001"])
def test_an_address_is_auto_or_a_host_and_a_port(address):
    check_address("auto"), check_address("node-1:6379"), check_address("[::1]:6379")
    with pytest.raises(InputError, match="expected auto, or HOST:PORT"):
        check_address(address)


def test_without_ray_one_line_says_how_to_install_it(dcgan_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ("sweep", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--out", tmp_path / "sweep")
    result = call(*words, "--address", "auto")
    assert result.exit_code == 2 and "pip install 'direction-finder[cluster]'" in result.stderr
    assert result.stderr.count("\n") == 1 and not (tmp_path / "sweep").exists()
    with locked(tmp_path):
        result = call(*words[:-1], tmp_path, "--address", "auto")
    assert result.exit_code == 2 and "another process is writing in this folder" in result.stderr
    result = call(*words, "--address", "auto", "--dry-run")
    assert result.exit_code == 2 and "leave out --address" in result.stderr


def test_a_worker_asks_for_what_it_needs():
    node = {"Alive": True, "Resources": {"CPU": 8.0, "memory": 10.0 * 2**30, "GPU": 1.0}}
    assert (
        Wanted(2, 0, 0).room(node) == 4 and Wanted(2, 0, 4 * 2**30).room(node) == 2 and Wanted(2, 1, 0).room(node) == 1
    )
    assert Wanted(9, 0, 0).room(node) == Wanted(1, 0, 11 * 2**30).room(node) == Wanted(1, 2, 0).room(node) == 0
    assert (
        Wanted(1, 0, 0).room({**node, "Alive": False}) == 0 == Wanted(1, 1, 0).room({**node, "Resources": {"CPU": 8.0}})
    )
    assert str(Wanted(2, 0, 4 * 2**30)) == "2 CPU and 4 GiB of memory"


def test_a_worker_says_why_it_cannot_work(dcgan_file, tmp_path):
    def problem(spec=f"dcgan:{dcgan_file}", version=None):
        source = Source(spec, None, Untold(num_classes=NUM_CLASSES), "cpu")
        return Worker(os.getcwd(), tmp_path, source).begin(version or package_version())

    with locked(tmp_path):
        assert problem() is None
        assert f"has direction-finder {package_version()}, not 9.9" in problem(version="9.9")
        assert "missing.pth: no such file" in problem(f"dcgan:{tmp_path}/missing.pth")
    assert "does not see the folder" in problem()
    unload()


class Cluster:
    """In place of `ray`: two nodes, of which the first has room for three workers; answers are those of `get`."""

    class exceptions:
        class RayError(Exception):
            pass

    def __init__(self, *answers):
        self.hired, self.killed, self.answers = [], [], list(answers)

    def nodes(self):
        return [{"Alive": alive, "Resources": {"CPU": 3.0}} for alive in (True, False)]

    def remote(self, **asked):
        return lambda kind: SimpleNamespace(remote=self._hire)

    def _hire(self, *given):
        call = SimpleNamespace(remote=lambda *_: object())
        self.hired.append(SimpleNamespace(begin=call, carry_out=call, memory=call, stop=call))
        return self.hired[-1]

    def wait(self, refs, timeout=0.0, num_returns=1):
        return refs[:num_returns], refs[num_returns:]

    def get(self, ref):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def kill(self, worker):
        self.killed.append(worker)


@pytest.fixture
def task(tmp_path):
    return Task(tmp_path / "run", Source("dcgan:x", None, Untold(), "cpu"), {"spec": "x"}, "random", None, None, 1, 0)


def hired(monkeypatch, task, most, *answers, kind=Crew):
    ray = Cluster(*answers)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(nodes, "LOOK", 1e9)  # a worker that was lost is replaced at once
    return ray, kind("carry_out" if kind is Crew else "memory", task, Wanted(1, 0, 0), most)


def test_a_crew_hires_as_many_as_make_sense_and_replaces_lost_ones(monkeypatch, task):
    for most, left, number in ((None, 9, 3), (2, 9, 2), (None, 1, 1)):
        ray, crew = hired(monkeypatch, task, most)
        assert not crew.has_room(left) and len(ray.hired) == number
    lost = ray.exceptions.RayError("lost")
    answers = [None, lost, lost, None, Outcome("done"), lost, None, lost]  # of a worker that begins or carries out
    ray, crew = hired(monkeypatch, task, 1, *answers)
    assert list(by_crew(crew, [task, task], lambda: False)) == [(1, Outcome("done")), (0, Died(None))]
    assert len(ray.hired) == 4 == len(ray.killed) and not ray.answers


def test_measuring_ends_at_once_when_the_sweep_is_to_stop(monkeypatch, task):
    ray, crew = hired(monkeypatch, task, 1, None, kind=Measurers)
    while not crew.has_room(1):
        assert list(crew.results()) == []
    crew.begin(0, task)
    crew.stop()
    assert not crew.busy and ray.killed == ray.hired
    ray, crew = hired(monkeypatch, task, 1, None, 7, 9, kind=Measurers)
    assert list(by_crew(crew, [task, task], lambda: False)) == [(0, 7), (1, 9)]


def test_workers_that_all_die_while_they_start_or_cannot_work_end_the_sweep(monkeypatch, task):
    lost = Cluster.exceptions.RayError("first line\nModuleNotFoundError: No module named 'direction_finder'")
    ray, crew = hired(monkeypatch, task, 1, lost, lost, lost)
    with pytest.raises(Unfinished, match=r"die while they start \(ModuleNotFoundError: .*every node needs"):
        list(by_crew(crew, [task], lambda: False))
    assert len(ray.killed) == 3
    ray, crew = hired(monkeypatch, task, 1, "has no weights")
    with pytest.raises(InputError, match="a worker of the cluster has no weights"):
        list(by_crew(crew, [task], lambda: False))


def test_the_user_of_the_command_may_use_the_generator_of_runs_made_elsewhere(monkeypatch, task):
    noted = []
    monkeypatch.setattr(running, "remember", lambda *given: noted.append(given))
    outcomes = [(0, Outcome("done")), (1, Outcome("failed"))]
    monkeypatch.setattr(running.cluster, "in_cluster", lambda *_: iter(outcomes))
    assert list(running._results([task, task], running.How(address="auto"), lambda: False)) == outcomes
    assert noted == [(task.folder, "x")]


@pytest.mark.slow
def test_a_small_sweep_on_a_cluster():
    netless.cases("-k", "small")


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_sweeps_on_a_cluster_that_loses_nodes_and_drivers():
    netless.cases("-k", "whole")
