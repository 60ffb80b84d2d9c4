"""Sweeps on Ray: what is refused without it, and the cases of tests/cluster_cases.py."""

import sys

import pytest

from direction_finder.errors import InputError
from direction_finder.locks import locked
from direction_finder.sweeps.cluster import check_address
from direction_finder.sweeps.nodes import Wanted
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


@pytest.mark.slow
def test_a_small_sweep_on_a_cluster():
    netless.cases("-k", "small")


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_sweeps_on_a_cluster_that_loses_nodes_and_drivers():
    netless.cases("-k", "whole")
