"""Estimates: passes as they turn out to be, and seconds in proportion to them."""

import itertools

import pytest

import direction_finder as df
from direction_finder.discovery import configure, estimates, settle
from direction_finder.discovery.estimates import GIB, estimate
from direction_finder.discovery.peak_memory import peak
from tests.conftest import NUM_CLASSES

SETTINGS = {
    "jacobian": {"points": 31, "keep_going": True},
    "hessian-direct": {"points": 24, "keep_going": True},
    "mean-field": {"points": 3, "keep_going": True},
    "hessian": {"steps": 50, "batch_size": 8, "score_samples": 3},
    "orojar": {"steps": 50, "batch_size": 8, "orthogonal": "none"},
    "ganspace": {"samples": 500, "components": 4},
    "local-basis": {},
    "random": {},
}


@pytest.fixture(scope="module")
def generator(dcgan_file):
    return df.load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)


def cost_of(generator, method, **given):
    return estimate(generator, method, settle(generator, method, configure(method, given))[0])


@pytest.mark.parametrize("method", SETTINGS)
def test_passes_are_those_of_the_search(generator, method):
    found = df.find(generator, method, **SETTINGS[method]).finding
    slack = 0.03  # checks that the generator is deterministic, whole batches
    assert cost_of(generator, method, **SETTINGS[method]).images == pytest.approx(found.images, rel=slack)


@pytest.mark.parametrize(("method", "given", "ticks"), [
    ("jacobian", {"points": 30}, 31), ("jacobian", {"points": 4}, 5),
    ("hessian", {"steps": 70, "score_samples": 0, "share_points": 0}, 71),
])  # fmt: skip
def test_seconds_grow_with_points_and_steps(generator, monkeypatch, method, given, ticks):
    clock = itertools.count()  # one second from one look at it to the next: a second a step, and one for the end
    monkeypatch.setattr(estimates.time, "perf_counter", lambda: next(clock))
    assert cost_of(generator, method, **given).seconds == pytest.approx(ticks)


def test_memory_is_that_of_the_process_and_of_what_is_kept(generator):
    few, many = (cost_of(generator, "jacobian", points=points) for points in (4, 100_000))
    assert 0.05 < few.gib < 1.2 * peak(generator.device) / GIB
    size, kept = generator.dim, 48
    assert many.gib - few.gib > 0.5 * 100_000 * kept * size**2 * 4 / GIB  # all matrices of all points


def test_plain_figures_are_rounded():
    assert estimates.Cost(1234, 83.7, 0.4567).plain() == {"passes": 1234, "minutes": 1.4, "gib": 0.46}
