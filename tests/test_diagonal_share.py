import json

import pytest
import torch

from direction_finder import discovery
from direction_finder.directions import Directions
from direction_finder.discovery import diagonal_share
from direction_finder.discovery.configs import HessianConfig
from direction_finder.discovery.diagonal_share import ShareMeter, random_hessian
from direction_finder.discovery.hessian import find
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.generators import load_generator
from direction_finder.randomness import stream
from tests.conftest import NUM_CLASSES, call
from tests.planted import planted

SETTINGS = {"eta": 5.0, "epsilon": 0.1, "max_batch": 64}


def test_the_right_basis_of_a_planted_generator_has_a_share_of_one():
    generator = planted(8)
    meter = ShareMeter(SearchSpace(generator, HessianConfig()), ("image",), count=8, seed=0, max_batch=64)
    assert meter.of(generator.module.rows) == {}
    meter.update(1e9)
    assert len(meter.hessians) == 8
    shares = meter.of(generator.module.rows)
    assert shares["share"] > 0.99
    assert 0.1 < shares["random_share"] < 0.5
    assert shares["share_of"] == 8


def test_it_costs_a_tenth_of_the_run_and_depends_on_the_seed_alone():
    space = SearchSpace(planted(8), HessianConfig())
    slowly, at_once = (ShareMeter(space, ("image",), count=8, seed=3, max_batch=64) for _ in range(2))
    for passes, count in ((319, 0), (320, 1), (640, 2), (10_000, 8), (1e6, 8)):  # 8 probes: 32 passes a Hessian
        slowly.update(passes)
        assert len(slowly.hessians) == count
    at_once.update(1e6)
    assert torch.equal(slowly.hessians, at_once.hessians)
    assert torch.equal(at_once.hessians[1], random_hessian(space, ("image",), stream(3, "share 1"), **SETTINGS))


def test_the_share_rises_in_the_log_and_stands_in_the_file():
    values = []
    found = discovery.find(
        planted(8),
        "hessian",
        steps=400,
        batch_size=32,
        learning_rate=0.02,
        score_samples=0,
        max_batch=1000,
        progress=lambda progress: values.append(progress.values),
    )
    shares = [step["share"] for step in values if "share" in step]
    assert len(shares) == 40
    assert shares[0] < 0.5 < 0.9 < shares[-1]
    assert len({step["random_share"] for step in values[50:] if "share" in step}) == 1
    assert found.share == pytest.approx({key: values[-1][key] for key in ("share", "random_share", "share_of")})


def test_half_precision_does_not_touch_the_yardstick(dcgan_file):
    generator = load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)
    measured = []
    for precision in ("exact", "bfloat16:layer0"):
        space = SearchSpace(generator, HessianConfig(precision=precision))
        meter = ShareMeter(space, ("image",), count=1, seed=0, max_batch=64)
        meter.update(1e9)
        measured.append(meter.hessians)
    assert torch.equal(*measured)


def test_a_resumed_run_has_the_share_of_the_uninterrupted_one(monkeypatch):
    config = HessianConfig(steps=40, batch_size=4, score_samples=0)
    states, values = {}, {}
    generator = planted(8)
    whole = find(
        generator,
        config,
        on_step=lambda progress: (
            states.update({progress.step: progress.state()}),
            values.update({progress.step: progress.values}),
        ),
    )
    calls = []
    original = diagonal_share.random_hessian
    monkeypatch.setattr(
        diagonal_share, "random_hessian", lambda *args, **more: calls.append(1) or original(*args, **more)
    )
    again = {}
    resumed = find(
        generator, config, resume=states[25], on_step=lambda progress: again.update({progress.step: progress.values})
    )
    assert resumed.metadata() == whole.metadata()
    assert len(calls) == whole.share["share_of"] - len(states[25]["hessians"]) > 0  # none is measured twice
    assert whole.share
    assert all(values[step] == again[step] for step in range(26, 41))


def test_direct_methods_report_matrices_that_were_kept_aside():
    found = discovery.find(
        planted(8), "hessian-direct", solver="joint", points=40, keep_going=True, eta=0.0, max_batch=64
    )
    assert found.share["share_of"] == 10
    assert found.share["share"] > 0.9 > 0.5 > found.share["random_share"]
    assert discovery.find(planted(8), "hessian-direct", points=3, max_batch=64).share is None


@pytest.mark.parametrize("settings", [{"share_points": 0}, {"orthogonal": "none"}])
def test_no_share_if_not_asked_for_or_not_defined(settings):
    found = discovery.find(planted(8), "hessian", steps=20, batch_size=16, score_samples=0, **settings)
    assert found.share is None


def test_the_command_writes_it(dcgan_file, tmp_path):
    folder = tmp_path / "run"
    call("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--method", "hessian",
         "--steps", 10, "--batch-size", 8, "--out", folder)  # fmt: skip
    last = json.loads((folder / "log.jsonl").read_text().splitlines()[-1])
    record = Directions.load(folder)
    assert record.share["share"] == pytest.approx(last["share"])
    assert json.loads(call("info", folder, "--json").stdout)["share"] == record.share
