"""Networks of users' kinds under every verb: all work, and what comes out is what their plain twins give."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from direction_finder import discovery
from direction_finder.directions import Directions
from direction_finder.edits import coordinate, spread
from direction_finder.generators import Generator, load_generator
from direction_finder.randomness import stream
from tests.conftest import call
from tests.users_networks import KINDS

POINTS = 8


def loaded(name: str) -> Generator:
    return load_generator(f"python:tests.users_networks:{name}")


def samples(generator: Generator, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    z = generator.sample(n, stream(0, "pictures"))
    return spread(z, generator.num_layers), torch.arange(n) % max(1, generator.num_classes)


def commands(run: Path, spec: str, conditional: bool) -> list[list]:
    """One of every kind of work, in an order in which one makes what the next one needs."""
    return [
        [
            "learn",
            "--generator",
            spec,
            "--at",
            "image",
            "--points",
            POINTS,
            "--out",
            run,
            *(["--class", 1] if conditional else []),
        ],
        ["rank", run, "--samples", 4, "--hessians", 2, "--most", 2],
        ["measure", run, "--metric", "activeness", "--samples", 8],
        ["render", "grid", run, "--steps", 3, "--samples", 1],
        ["render", "video", run, "--seconds", 0.2, "--samples", 1, "--directions", 0],
        ["align", run, "--direction", 0, "--samples", 2],
    ]


@pytest.mark.parametrize("name", KINDS)
def test_every_verb_works_and_gives_what_the_plain_twin_gives(name, tmp_path):
    generator, twin = loaded(name), loaded(KINDS[name])
    run = tmp_path / "run"
    for arguments in commands(run, f"python:tests.users_networks:{name}", generator.num_classes > 0):
        result = call(*arguments)
        assert result.exit_code == 0, (arguments, result.stderr)
    assert {"rank.json", "activeness.json", "grid.png", "video.mp4", "align-0.png"} <= {
        each.name for each in run.iterdir()
    }

    (latents, classes), (plain_latents, _) = samples(generator, 5), samples(twin, 5)
    images, plain_images = generator(latents, classes), twin(plain_latents, classes)
    assert images.std() > 0.1
    assert torch.allclose(images, plain_images, atol=2e-5)

    found = Directions.load(run)
    settings = {"class_name": "1"} if generator.num_classes else {}
    expected = discovery.find(twin, at=("image",), points=POINTS, **settings)
    assert torch.allclose(found.vectors, expected.vectors, atol=2e-3), (found.vectors * expected.vectors).sum(1)
    assert found.ranges[0] is None or 0.5 < found.ranges[0] < 20
    ours, theirs = coordinate(latents, found[0]), coordinate(plain_latents, expected[0])
    assert torch.allclose(ours, theirs, rtol=0.03, atol=2e-3)  # in deviations, which are measured


@pytest.mark.parametrize("name", ["blocks", "tuples", "shared", "noisy", "styled", "grey", "spectral_new", "scripted"])
def test_half_precision_and_activations_of_any_module(name, tmp_path):
    spec, at = f"python:tests.users_networks:{name}", loaded(name).activation_names[-2:]
    result = call("learn", "--generator", spec, "--points", 4, "--precision", "fast", "--out", tmp_path / "fast")
    assert result.exit_code == 0, result.stderr
    chosen = [part for each in at for part in ("--at", each)]
    result = call("learn", "--generator", spec, "--points", 4, *chosen, "--out", tmp_path / "at")
    assert result.exit_code == 0, result.stderr
    if name != "scripted":
        assert len(at) == 2


SHELL = [
    "blocks", "tuples", "dicts", "shared", "hooked", "changing", "grey", "rgba", "wide", "spatial", "uniform_z",
    "styled", "noisy", "double", "one_of_list", "still", "vectors",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", SHELL)
def test_every_command_works_from_the_shell(name, tmp_path):
    shutil.copy(Path(__file__).parent / "users_networks.py", tmp_path / "mine.py")
    program = Path(sys.executable).with_name("direction-finder")
    for arguments in commands(Path("run"), f"python:mine:{name}", name == "vectors"):
        words = [str(program), *map(str, arguments)]
        result = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, (words, result.stderr)
