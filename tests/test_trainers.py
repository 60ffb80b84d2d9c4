"""What a training of each kind leaves in its folder, and what its runs are called."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from direction_finder.errors import InputError
from direction_finder.files import CONFIG, read_json
from direction_finder.generators import load_generator
from direction_finder.generators.biggan_deep import WEIGHTS
from direction_finder.runs.folder import Run
from direction_finder.runs.recorder import Recorder
from direction_finder.runs.trainers import GENERATOR, MODELS, SNAPSHOT, Upkeep, Work, labelled, trained_spec, verb
from direction_finder.scenes import make
from direction_finder.training import biggan
from direction_finder.training.biggan_config import BigGANConfig
from direction_finder.training.progan_config import ProGANConfig

PROGAN = ProGANConfig(z_dim=2, width=4, max_width=4, batch_size=4, fade_kimg=0.004, stable_kimg=0.004, kimg=0.02)
BIGGAN = BigGANConfig(steps=2, batch_size=4, z_dim=4, channel_width=4, discriminator_width=4)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return make("shapes", tmp_path_factory.mktemp("shapes") / "set", num=12, resolution=16, seed=0, workers=1)


def work(folder: Path, model: str, data: dict, images: np.ndarray, upkeep: Upkeep) -> Work:
    run = Run.create(folder, {"model": model, "data": data, "start": None, "device": "cpu", "settings": {}})
    return Work(run, images, None, None, upkeep, lambda _: None)


def carried_out(task: Work, config, stop: int | None = None) -> Run:
    def on_step(progress) -> None:
        if progress.step == stop:
            progress.stop()

    with Recorder(task.run, "training", save_every=1000, on_step=on_step) as recorder:
        MODELS[task.run.config["model"]].work(task, config, recorder)
    return task.run


def a_progan(tmp_path, **upkeep) -> Work:
    images = np.random.default_rng(0).integers(0, 255, (8, 8, 8, 3), np.uint8)
    return work(tmp_path / "run", "progan", {}, images, Upkeep(score_every=0, **upkeep))


def a_biggan(tmp_path, shapes, **upkeep) -> Work:
    data = {"folder": str(shapes.folder), "label": "class", "resolution": 16}
    return work(tmp_path / "run", "biggan", data, shapes.images(), Upkeep(**upkeep))


@pytest.mark.parametrize("stop", [None, 1])
def test_a_progan_leaves_its_average_and_a_snapshot_also_if_it_was_stopped(stop, tmp_path):
    run = carried_out(a_progan(tmp_path), PROGAN, stop)
    generator = load_generator(trained_spec(run))
    assert (generator.dim, generator.resolution) == (2, 8)
    kept, players = load_file(run.folder / f"{GENERATOR}.safetensors"), load_file(run.folder / SNAPSHOT)
    assert all(torch.equal(kept[name].half(), players[f"average.{name}"]) for name in kept if name != "lod")
    assert any(name.startswith("critic.") for name in players)
    assert float(kept["lod"]) == (0 if stop is None else 1)


def test_a_progan_says_how_long_it_takes_once_there_is_something_to_measure(tmp_path):
    first, *others = carried_out(a_progan(tmp_path), PROGAN).steps()
    assert "seconds_per_kimg" not in first and len(others) == 3
    assert all(step["seconds_per_kimg"] > 0 for step in others)


@pytest.mark.parametrize("half", [False, True])
def test_a_biggan_that_is_done_leaves_a_folder_of_weights(half, shapes, tmp_path, monkeypatch):
    monkeypatch.setattr(biggan, "finished", lambda *_: {"weight": torch.full((2,), 0.1)})  # which takes seconds
    run = carried_out(a_biggan(tmp_path, shapes, half=half), BIGGAN)
    assert trained_spec(run) == f"biggan-deep:{run.folder / GENERATOR}"
    weights = torch.load(run.folder / GENERATOR / WEIGHTS, weights_only=True)
    assert weights["weight"].dtype == (torch.half if half else torch.float) and weights["weight"].shape == (2,)
    config = read_json(run.folder / GENERATOR / CONFIG)
    assert config["class_names"] == ["cube", "sphere", "cylinder"] and (run.folder / SNAPSHOT).is_file()


def test_a_biggan_that_was_stopped_is_no_generator_yet(shapes, tmp_path):
    run = carried_out(a_biggan(tmp_path, shapes), BIGGAN, stop=1)
    assert (run.folder / SNAPSHOT).is_file() and not (run.folder / GENERATOR).exists()


def test_the_label_is_a_factor_with_choices(shapes):
    data, factor = labelled(shapes.folder, "class")
    assert len(data) == 12 and factor.choices == ("cube", "sphere", "cylinder")
    with pytest.raises(InputError, match=r"^`label` hue: a number, not a class$"):
        labelled(shapes.folder, "hue")
    with pytest.raises(InputError, match="colour"):
        labelled(shapes.folder, "colour")


@pytest.mark.parametrize(
    ("model", "start", "expected"),
    [
        ("progan", None, "train progan"),
        ("progan", {"file": "x"}, "finetune"),
        ("biggan", None, "train biggan"),
        ("biggan", {"file": "x"}, "train biggan"),
    ],
)
def test_a_run_is_called_by_the_command_that_goes_on_with_it(model, start, expected):
    assert verb(Run(Path("run"), {"model": model, "start": start})) == expected
    assert trained_spec(Run(Path("run"), {"model": model})).partition(":")[2].startswith("run/generator")
