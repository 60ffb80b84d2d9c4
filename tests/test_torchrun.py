"""One command on the processes of `torchrun`: the results of one process."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from direction_finder import torchrun
from direction_finder.discovery.configs import JacobianConfig
from direction_finder.discovery.direct import _Source
from direction_finder.files import DIRECTIONS, LOG, STATE
from direction_finder.generators import load_generator
from direction_finder.randomness import stream
from direction_finder.runs import learning, open_run
from tests.conftest import NUM_CLASSES, TINY_PROGAN, call

ROOT = Path(__file__).parent.parent


def launched(processes: int, folder: Path, *commands: tuple) -> subprocess.CompletedProcess:
    """Run commands in several processes, which talk over loopback only. folder: for the file that lists them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listed = folder / "commands.json"
    listed.write_text(json.dumps([list(map(str, words)) for words in commands]))
    launch = ["-m", "torch.distributed.run", "--nnodes=1", f"--nproc-per-node={processes}", "--rdzv-backend=static"]
    where = ["--master-addr=127.0.0.1", f"--master-port={port}", "-m", "tests.sharing", str(listed)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *launch, *where], capture_output=True, text=True, env=environment, timeout=280
    )


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (DIRECTIONS, LOG, STATE)}


LEARN = ("learn", "--threads", 1, "--num-classes", NUM_CLASSES)
HESSIAN = ("--method", "hessian", "--steps", 50, "--batch-size", 6, "--max-batch", 8)
METRICS = [word for name in ("diagonality", "share", "activeness") for word in ("--metric", name)]
TRAIN = ("train", "progan", "--threads", 1, "--score-every", 0, "--resolution", 8)
PENALISED = {
    **TINY_PROGAN,
    "batch_size": 16,
    "kimg": 0.82,
    "codes": 2,
    "penalty_weight": 0.1,
    "penalty_reduction": "mean",
}


def commands(dcgan_file: Path, data: Path, folder: Path) -> list[tuple]:
    """A command for each kind of work that processes share, with results in `folder`, where two runs are already."""
    learn = (*LEARN, "--generator", f"dcgan:{dcgan_file}")
    options = [word for name, value in PENALISED.items() for word in (f"--{name.replace('_', '-')}", value)]
    return [
        (*learn, "--points", 9, "--out", folder / "direct"),
        ("learn", "--resume", folder / "resumed", "--points", 9),
        ("measure", folder / "measured", *METRICS, "--samples", 5),
        (*learn, *HESSIAN, "--out", folder / "loop"),
        (*TRAIN, data, *options, "--out", folder / "progan"),
    ]


def write_images(folder: Path) -> None:
    folder.mkdir()
    for number, image in enumerate(torch.randint(0, 255, (40, 8, 8, 3), dtype=torch.uint8).numpy()):
        Image.fromarray(image).save(folder / f"{number}.png")


@pytest.fixture(scope="module")
def alone(dcgan_file, tmp_path_factory):
    """What one process makes, the data, and two runs that commands start from: one of 5 points, and a measured one."""
    folder = tmp_path_factory.mktemp("alone")
    data, one = folder / "data", folder / "one"
    write_images(data)
    learn = (*LEARN, "--generator", f"dcgan:{dcgan_file}")
    for name in ("resumed", "measured"):
        assert call(*learn, "--points", 5, "--out", folder / "begun" / name).exit_code == 0
    shutil.copytree(folder / "begun", one)
    for words in commands(dcgan_file, data, one):
        ended = call(*words)
        assert ended.exit_code == 0, ended.stderr
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def apart(one: Path, other: Path) -> float:
    """The largest difference of any number in two files of tensors."""
    tensors, others = load_file(one), load_file(other)
    assert tensors.keys() == others.keys()
    return max(float((tensors[name].double() - others[name].double()).abs().max()) for name in tensors)


@pytest.mark.parametrize("processes", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_several_processes_make_what_one_makes(processes, alone, dcgan_file, tmp_path):
    one, several = alone / "one", tmp_path / "several"
    shutil.copytree(alone / "begun", several)
    ended = launched(processes, tmp_path, *commands(dcgan_file, alone / "data", several))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("directions in") == 3 and ended.stdout.count("trained in") == 1  # one of them prints
    for name in ("direct", "resumed", "loop"):  # 9 points: in the last round, some are measured that are not needed
        assert files(one / name) == files(several / name)
    images = [open_run(folder / "direct").config["finding"]["images"] for folder in (one, several)]
    assert images[0] < images[1] < processes * images[0]  # every process checks the generator
    measured = contents(several / "measured")
    assert len(measured) > 10 and measured == contents(one / "measured")
    generators = [folder / "progan" / "generator.safetensors" for folder in (one, several)]
    # without the exchange of gradients 7e-4; mostly 1e-7, but Adam turns with the rounding of gradients near 0
    assert apart(*generators) < 2e-4
    logs = [list(map(json.loads, (folder / "progan" / LOG).read_text().splitlines())) for folder in (one, several)]
    assert len(logs[0]) == len(logs[1]) >= 50
    for word in ("distance", "info_loss", "penalty"):
        values = [[step[word] for step in log if word in step] for log in logs]
        assert values[0] and values[0] == pytest.approx(values[1], rel=1e-3, abs=1e-5)


def test_what_cannot_be_shared_is_refused(dcgan_file, tmp_path, monkeypatch):
    data = tmp_path / "data"
    write_images(data)
    monkeypatch.setattr(torchrun, "count", lambda: 2)
    learn = (*LEARN, "--generator", f"dcgan:{dcgan_file}")
    for words, expected in [
        ((*learn, "--method", "sefa"), "--method sefa runs in one process: leave out torchrun, or give jacobian"),
        ((*learn, "--dry-run"), "--dry-run measures one process"),
        ((*TRAIN, data, "--batch-size", 4), "set --batch-size and --largest-batch to multiples of 8"),
        (
            (*TRAIN, data, "--penalty-weight", 1, "--penalty-reduction", "batch-max"),
            "--penalty-reduction batch-max needs the whole batch in one process",
        ),
        (
            ("train", "vae", data, "--resolution", 8, "--batch-size", 4),
            "trained in one process: leave out torchrun",
        ),
    ]:
        refused = call(*words, "--out", tmp_path / "run")
        assert refused.exit_code == 2 and expected in refused.stderr
        assert not (tmp_path / "run").exists()
    refused = call("measure", tmp_path, "--metric", "share", "--again")
    assert refused.exit_code == 2 and "leave out torchrun" in refused.stderr


def measured(space: object, rng: torch.Generator) -> torch.Tensor:
    return torch.randn(1, 2, 2, generator=rng)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_of_three_processes_each_measures_every_third_point(number, monkeypatch):
    expected = [measured(None, stream(4, f"point {point}")) for point in range(6)]
    calls = []

    def gathered(value: Callable[[], torch.Tensor]) -> list[torch.Tensor]:
        calls.append(value())
        return expected[3 * len(calls) - 3 : 3 * len(calls)]

    monkeypatch.setattr(torchrun, "number", lambda: number)
    monkeypatch.setattr(torchrun, "gathered", gathered)
    space: Any = SimpleNamespace(at_point=lambda number, held_out: None)
    source = _Source(measured, space, 4, None)
    assert all(torch.equal(source.point(point), expected[point]) for point in range(6))
    assert len(calls) == 2 and torch.equal(calls[0], expected[number]) and torch.equal(calls[1], expected[3 + number])
    old = _Source(measured, space, 4, stream(4, "points"))  # a run of 0.2, whose points draw from one stream
    assert torch.equal(old.point(0), measured(None, stream(4, "points"))) and len(calls) == 2


def test_other_processes_than_the_first_write_nothing(dcgan_file, tmp_path, monkeypatch):
    monkeypatch.setattr(torchrun, "number", lambda: 1)
    monkeypatch.setattr(torchrun, "gathered", lambda value: [value()])
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
    assert torchrun.summed(tensor) is torchrun.part(tensor) is tensor
    assert torchrun.gathered(lambda: 3) == [3]
