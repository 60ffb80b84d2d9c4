"""One search on the processes of `torchrun`: the same bytes as in one process."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from direction_finder import torchrun
from direction_finder.discovery.configs import JacobianConfig
from direction_finder.discovery.direct import _Source
from direction_finder.files import DIRECTIONS, LOG, STATE
from direction_finder.generators import load_generator
from direction_finder.randomness import stream
from direction_finder.runs import learning, open_run
from tests.conftest import NUM_CLASSES, call

ROOT = Path(__file__).parent.parent


def launched(processes: int, *words: object) -> subprocess.CompletedProcess:
    """Run a verb in several processes, which talk over loopback only."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = ["-m", "torch.distributed.run", "--nnodes=1", f"--nproc-per-node={processes}", "--rdzv-backend=static"]
    where = ["--master-addr=127.0.0.1", f"--master-port={port}", "-m", "direction_finder.commands"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *launch, *where, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (DIRECTIONS, LOG, STATE)}


def test_two_processes_make_the_bytes_of_one_and_resume_its_run(dcgan_file, tmp_path):
    base = ("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--threads", 1)
    for name, points in (("one", 9), ("two", 5)):  # an odd number: in the last round, a point too many is measured
        ended = call(*base, "--points", points, "--out", tmp_path / name)
        assert ended.exit_code == 0, ended.stderr
    ended = launched(2, "learn", "--resume", tmp_path / "two", "--points", 9)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("directions in") == 1
    ended = launched(2, *base, "--points", 9, "--out", tmp_path / "whole")
    assert ended.returncode == 0, ended.stderr
    one, two, whole = (files(tmp_path / name) for name in ("one", "two", "whole"))
    assert one == two and one == whole
    images = [open_run(tmp_path / name).config["finding"]["images"] for name in ("one", "whole")]
    assert images[0] < images[1] < 1.5 * images[0]  # one point more, and every process checks the generator


def test_methods_whose_points_cannot_be_shared_are_refused(dcgan_file, tmp_path, monkeypatch):
    monkeypatch.setattr(torchrun, "count", lambda: 2)
    base = ("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--out", tmp_path / "run")
    refused = call(*base, "--method", "hessian")
    assert refused.exit_code == 2 and "--method hessian runs in one process: leave out torchrun" in refused.stderr
    refused = call(*base, "--dry-run")
    assert refused.exit_code == 2 and "--dry-run measures one process" in refused.stderr
    assert not (tmp_path / "run").exists()


def measured(space: object, rng: torch.Generator) -> torch.Tensor:
    return torch.randn(1, 2, 2, generator=rng)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_of_three_processes_each_measures_every_third_point(number, monkeypatch):
    expected = [measured(None, stream(4, f"point {point}")) for point in range(6)]
    calls = []

    def gathered(mine: torch.Tensor) -> list[torch.Tensor]:
        calls.append(mine)
        return expected[3 * len(calls) - 3 : 3 * len(calls)]

    monkeypatch.setattr(torchrun, "number", lambda: number)
    monkeypatch.setattr(torchrun, "gathered", gathered)
    source = _Source(measured, None, 4, None)
    assert all(torch.equal(source.point(point), expected[point]) for point in range(6))
    assert len(calls) == 2 and torch.equal(calls[0], expected[number]) and torch.equal(calls[1], expected[3 + number])
    old = _Source(measured, None, 4, stream(4, "points"))  # a run of 0.2, whose points draw from one stream
    assert torch.equal(old.point(0), measured(None, stream(4, "points"))) and len(calls) == 2


def test_other_processes_than_the_first_write_nothing(dcgan_file, tmp_path, monkeypatch):
    monkeypatch.setattr(torchrun, "number", lambda: 1)
    monkeypatch.setattr(torchrun, "gathered", lambda mine: [mine])
    generator = load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)
    (search,) = learning.searches(generator, "jacobian", {"points": 4})
    run, directions = learning.begin(search, tmp_path / "run")
    assert len(directions) == generator.dim and not run.folder.exists() and JacobianConfig is type(search.config)


def test_one_process_is_the_first_and_decides():
    with torchrun.together():
        assert (torchrun.count(), torchrun.number(), torchrun.from_first(lambda: 3), torchrun.total(4, 5)) == (
            1,
            0,
            3,
            [4, 5],
        )
    tensor = torch.ones(2)
    assert torchrun.gathered(tensor)[0] is tensor
