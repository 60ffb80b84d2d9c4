"""What `train --dry-run` and `finetune --dry-run` foretell."""

import itertools
import json

import numpy as np
import pytest
import torch
from PIL import Image

from direction_finder.runs import training, training_costs
from direction_finder.runs.trainers import Upkeep
from direction_finder.training.growth import place
from direction_finder.training.progan import ProGANTrainer
from direction_finder.training.progan_config import ProGANConfig
from tests.conftest import TINY_PROGAN, call

PENALTY = {"penalty_weight": 0.1, "penalty_every": 3, "kimg": 0.2}
SETTINGS = {
    "progan": {**TINY_PROGAN, **PENALTY},
    "vae": {"steps": 450, "batch_size": 8, "width": 4, "hidden": 8, "z_dim": 2},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for number, image in enumerate(np.random.default_rng(0).integers(0, 255, (40, 8, 8, 3), np.uint8)):
        Image.fromarray(image).save(folder / f"{number}.png")
    return folder


def forecast(model, data, upkeep=None, **more):
    settings = {**SETTINGS[model], **more}
    prepared = training.prepare(model, data, settings, resolution=8, device="cpu")
    return prepared.content, training.forecast(prepared, upkeep=upkeep or Upkeep(score_every=0))


def test_every_step_of_a_progan_is_in_one_stage_and_judged_by_others_like_it():
    config = ProGANConfig(**SETTINGS["progan"])
    trainer = ProGANTrainer(np.zeros((8, 16, 16, 3), np.uint8), config, "cpu", grown=False)
    stages = trainer.stages()
    assert sum(stage.number for stage in stages) == trainer.total
    assert sum(stage.number * stage.images for stage in stages) == trainer.position(trainer.total)["kimg"] * 1000
    for stage in stages:
        assert 1 <= len(stage.like) <= stage.number
        assert {place(trainer.phases, step).batch for step in stage.like} == {stage.images}
        assert len({step % config.penalty_every == 0 for step in stage.like}) == 1
    penalised = sum(stage.number for stage in stages if stage.like[0] % config.penalty_every == 0)
    assert penalised == trainer.total // config.penalty_every


@pytest.mark.parametrize("model", SETTINGS)
def test_seconds_grow_with_steps_and_passes_are_images(model, data, monkeypatch):
    clock = itertools.count()  # one second from one look at it to the next: a second a step
    monkeypatch.setattr(training_costs.time, "perf_counter", lambda: next(clock))
    content, cost = forecast(model, data)
    steps, images = (450, 450 * 8) if model == "vae" else (49, 200)  # the first step of the ProGAN shows 8, others 4
    assert content["data"]["num"] == 40 and cost.images == images
    assert cost.seconds == pytest.approx(steps) and 0.05 < cost.gib < 20


class Scored:
    """Features that are all 0, and a distance of images that have been rendered."""

    def __init__(self, images, samples, seed):
        self.features = torch.zeros_like

    def distance(self, draw, dim):
        return float(draw(torch.zeros(2, dim)).mean())


def test_scores_cost_as_much_as_their_images(data, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(training_costs.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(training_costs, "BATCH", 10)
    monkeypatch.setattr(training_costs, "Reference", Scored)
    plain = forecast("progan", data)[1]
    scored = forecast("progan", data, Upkeep(score_every=0.05, score_samples=20))[1]
    scores = 1 + int((scored.images - 12) / 1000 // 0.05)  # it grows for 12 images
    assert scored.seconds - plain.seconds == pytest.approx((scores + 1) * 20 / 10)


def test_the_commands_print_every_setting_and_write_nothing(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = [word for name, value in TINY_PROGAN.items() for word in (f"--{name.replace('_', '-')}", value)]
    base = ("--resolution", 8, "--score-every", 0, "--threads", 1)
    dry = call("train", "progan", data, *options, *base, "--dry-run")
    content = json.loads(dry.stdout)
    assert content["settings"]["z_dim"] == 2 and content["estimate"]["passes"] == 20 and content["threads"] == 1
    assert "about 20 passes" in dry.stderr and not list(tmp_path.iterdir())
    assert call("train", "progan", data, *options, *base, "--out", "run").exit_code == 0
    tuned = call("finetune", "run", data, "--kimg", 0.04, "--batch-size", 4, *base, "--dry-run")
    assert json.loads(tuned.stdout)["estimate"]["passes"] == 40
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
