"""What tuning measures is what a run computes: as many rows at once, in every kind of batch."""

from functools import partial

import pytest
import torch

from direction_finder.diagonalisation import SOLVERS, solve, unit_norm
from direction_finder.discovery import METHODS, configure, mean_field
from direction_finder.discovery.peak_memory import RESET, PeakMeter
from direction_finder.discovery.rehearsals import DOUBLE, LEAVING, SINGLE, SOLVING
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.generators import load_generator
from direction_finder.stacks import MERGED
from tests.conftest import NUM_CLASSES

TUNED = ["jacobian", "hessian-direct", "mean-field", "local-basis", "hessian", "orojar"]
LOOP = {"batch_size": 10, "steps": 3, "share_points": 1, "score_samples": 3}


class Watched:
    """A generator that records how many rows it gets: those that need gradients, and the others."""

    def __init__(self, generator):
        self.generator, self.rows = generator, []
        original = generator.run

        def run(latents, *rest):
            self.rows.append((len(latents), torch.is_grad_enabled() and latents.requires_grad))
            return original(latents, *rest)

        generator.run = run

    def largest(self, gradients: bool) -> int:
        return max((rows for rows, needed in self.rows if needed == gradients), default=0)


@pytest.fixture
def watched(dcgan_file):
    return Watched(load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES))


def settings(method: str) -> dict:
    own = {"hessian": LOOP, "orojar": LOOP, "local-basis": {}, "jacobian": {"points": 3, "at": ("layer1", "image")}}
    return own.get(method, {"points": 3})


@pytest.mark.parametrize("rows", [4, 12, 30])
@pytest.mark.parametrize("method", TUNED)
def test_a_rehearsal_computes_batches_as_large_as_a_run(method, rows, watched):
    smallest = 3 if method == "orojar" else 4
    config = configure(method, {**settings(method), "max_batch": rows // smallest * smallest})
    space = SearchSpace(watched.generator, config)
    METHODS[method].find(watched.generator, config)
    run = watched.largest(True), watched.largest(False)
    watched.rows.clear()
    METHODS[method].rehearsal.batches(space, config, config.max_batch)
    rehearsed = watched.largest(True), watched.largest(False)
    assert rehearsed[0] >= run[0] and rehearsed[1] >= run[1]
    assert max(rehearsed) <= config.max_batch


@pytest.mark.parametrize("method", TUNED)
def test_most_is_what_a_run_computes_at_once_if_it_may(method, watched):
    config = configure(method, {**settings(method), "score_samples": 0, "max_batch": 512} if method in (
        "hessian", "orojar") else {**settings(method), "max_batch": 512})  # fmt: skip
    METHODS[method].find(watched.generator, config)
    most = METHODS[method].rehearsal.most(SearchSpace(watched.generator, config), config)
    assert max(rows for rows, _ in watched.rows) == most


def test_a_loop_that_measures_no_shares_rehearses_none(watched):
    config = configure("hessian", {**LOOP, "orthogonal": "none", "batch_size": 1})
    rehearsal, space = METHODS["hessian"].rehearsal, SearchSpace(watched.generator, config)
    assert rehearsal.most(space, config) == 4
    rehearsal.batches(space, config, 4)
    assert sum(needed for _, needed in watched.rows) == 2  # the two pieces of a step


def test_what_does_not_depend_on_the_batch(watched):
    """A 6 x 6 matrix for each point, or 48 of them, and the derivatives of 3 x 16 x 16 outputs along 6 axes."""
    few, many = (configure("jacobian", {"points": points, "by": "whole", "at": ("image",)}) for points in (4, 10**5))
    space = SearchSpace(watched.generator, few)
    image = watched.generator(watched.generator.samples(1)).numel()
    rehearsal = METHODS["jacobian"].rehearsal
    assert rehearsal.fixed(space, few) == (SINGLE * (4 * 36 + 6 * image), LEAVING)
    assert rehearsal.fixed(space, many).peak == DOUBLE * 2 * SOLVING * 36 * 10**5
    by_channel = configure("jacobian", {"points": 10**5, "at": ("image",)})
    peak = SINGLE * 48 * 36 * 10**5 + DOUBLE * 2 * SOLVING * 36 * MERGED
    assert rehearsal.fixed(space, by_channel).peak == peak
    assert METHODS["hessian-direct"].rehearsal.fixed(space, few).kept == SINGLE * 4 * 36
    scored, unscored = (
        METHODS["hessian"].rehearsal.fixed(space, configure("hessian", {**LOOP, "score_samples": number})).kept
        for number in (3, 0)
    )
    assert scored - unscored == SINGLE * 3 * image


@pytest.mark.skipif(not RESET.exists(), reason="the system cannot begin a peak anew")
@pytest.mark.parametrize("solver", [*(partial(solve, name) for name in SOLVERS), partial(mean_field.solve, beta=1.0)])
def test_solving_needs_no_more_than_is_reckoned(solver):
    matrices = torch.eye(16).repeat(32768, 1, 1)  # 64 MiB as doubles: not from the heap, whose gaps differ every time
    solver(unit_norm(matrices))  # what a first call loads stays in memory
    meter = PeakMeter(torch.device("cpu"))
    meter.start()
    solver(matrices)
    assert 0 < meter.need() + SINGLE * matrices.numel() <= DOUBLE * SOLVING * matrices.numel()
