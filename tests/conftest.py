"""Small generators that tests share. Everything is made here; nothing is downloaded."""

import signal
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from direction_finder.commands import main
from direction_finder.commands.stopping import NUMBERS
from direction_finder.generators.networks.dcgan import DCGAN
from tests.sane_biggan import SMALL, sane_biggan, write_folder

NUM_CLASSES, DIM = 3, 6
TINY_PROGAN = {  # two levels, at 8 pixels
    "z_dim": 2,
    "width": 4,
    "max_width": 8,
    "batch_size": 4,
    "fade_kimg": 0.004,
    "stable_kimg": 0.004,
    "kimg": 0.02,
}


def dcgan_state(widths=(DIM + NUM_CLASSES, 16, 8, 3), seed: int = 0) -> dict[str, torch.Tensor]:
    """The state dict of a small DCGAN in the common spelling, main.0, main.1, main.3, ..."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = DCGAN(widths, [False] * (len(widths) - 1))
        for norm in network.norms:
            norm.running_mean.normal_(std=0.1)
            norm.running_var.uniform_(0.5, 1.5).mul_(0.1)
    state = {}
    for key, tensor in network.state_dict().items():
        kind, number, parameter = key.split(".")
        state[f"main.{3 * int(number) + (kind == 'norms')}.{parameter}"] = tensor
    return state


@pytest.fixture(scope="session")
def dcgan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dcgan") / "small.pth"
    torch.save(dcgan_state(), path)
    return path


@pytest.fixture(scope="session")
def biggan_model():
    return sane_biggan()


@pytest.fixture(scope="session")
def biggan_folder(tmp_path_factory: pytest.TempPathFactory, biggan_model) -> Path:
    folder = tmp_path_factory.mktemp("biggan") / "small"
    write_folder(folder, SMALL, biggan_model)
    return folder


@pytest.fixture
def handlers():
    """Whatever a test does, the handlers of signals that pytest had are there afterwards."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache what `learn` writes for the user out of the home folder of whoever runs the tests."""
    monkeypatch.setenv("DIRECTION_FINDER_CONFIG", str(tmp_path_factory.getbasetemp() / "settings"))


@pytest.fixture(autouse=True)
def seeded() -> None:
    """What a test draws does not depend on the tests before it."""
    torch.manual_seed(0)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def call(*arguments: object) -> Result:
    """Run the command line in this process; the result has exit_code, stdout and stderr."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code != 1, result.stderr  # an error that the commands do not expect
    return result


@pytest.fixture
def run_folder(tmp_path: Path, dcgan_file: Path) -> Path:
    """A finished run of two steps on the small DCGAN, class 1."""
    folder = tmp_path / "run"
    result = call("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--class", 1,
                  "--method", "hessian", "--steps", 2, "--batch-size", 4, "--out", folder)  # fmt: skip
    assert result.exit_code == 0, result.stderr
    return folder
