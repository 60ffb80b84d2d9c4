"""Effects, scores and alignment on a generator whose factors are known exactly."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.stats import ks_2samp
from torch import nn

from direction_finder.datasets import Factor
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import WrappedModule
from direction_finder.metrics import factors, frechet
from direction_finder.metrics.factor_network import FactorNetwork, difference
from direction_finder.metrics.fidelity import distance
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.metrics.samples import Sampling

LINE, CIRCLE = Factor("line", -1, 1), Factor("circle", circular=True)
DIM = 4


class Painter(nn.Module):
    """Paints 0.1 z0 into red, 0.05 z1 (turns) into green and the sign of z2 into blue."""

    def forward(self, z):
        red, green, blue = 0.1 * z[:, 0], (0.05 * z[:, 1]).remainder(1), z[:, 2].sign()
        return torch.stack([red, green, blue], 1)[:, :, None, None].expand(-1, -1, 4, 4)


class Reader(FactorNetwork):
    def read(self, images):
        return {
            "line": images[:, 0, 0, 0],
            "circle": images[:, 1, 0, 0],
            "kind": (images[:, 2, 0, 0] > 0).long(),
        }


@pytest.fixture
def painter():
    return WrappedModule(Painter(), dim=DIM, name="painter")


@pytest.fixture
def reader():
    return Reader([LINE, CIRCLE, Factor("kind", choices=("a", "b"))], 4)


def effects(painter, reader, rows, **given):
    sampling = Sampling(**{name: given.pop(name) for name in ("seed", "max_batch") if name in given})
    directions = Directions(vectors=torch.as_tensor(rows), method="test")
    return factors.measure_effects(painter, reader, directions, sampling, **given)


def test_effects_are_slopes_in_natural_spreads(painter, reader):
    found = effects(painter, reader, torch.eye(DIM), samples=400)
    assert found.factors == ("line", "circle", "kind")
    assert found.spreads == pytest.approx((0.1, 0.05, 0.5), rel=0.1)
    expected = torch.zeros(DIM, 3, dtype=torch.double)
    expected[0, 0], expected[1, 1] = 0.1 / found.spreads[0], 0.05 / found.spreads[1]
    # a choice changes wholly or not at all: half a spread's inverse per unit, as often as it does
    expected[2, 2] = found.flips[2].double().sqrt() / (2 * found.spreads[2])
    assert torch.allclose(found.matrix, expected, atol=1e-4)
    assert torch.allclose(found.slopes.double()[:, :2], expected[:, :2], atol=1e-4)
    assert found.flips[0] == found.flips[1] == found.flips[3] == 0
    inside = math.erf(1 / math.sqrt(2))  # P(|z2| < 1): a move by 1 either way then changes the sign
    assert found.flips[2].item() == pytest.approx(inside, abs=0.08)
    assert factors.names(found) == ("line", "circle", "kind", None)
    assert factors.shares(found)[0] == ("line", pytest.approx(1))
    assert factors.strongest(found)[2:] == [2, 3]


def test_the_class_that_is_asked_for_is_no_factor(painter, reader):
    painter.class_names = ("a", "b")
    assert effects(painter, reader, torch.eye(DIM), samples=10).factors == ("line", "circle")


def test_same_seed_same_numbers_and_batches_do_not_matter(painter, reader):
    one = effects(painter, reader, torch.eye(DIM), samples=50, max_batch=7)
    assert torch.equal(one.squares, effects(painter, reader, torch.eye(DIM), samples=50, max_batch=50).squares)
    assert not torch.equal(one.squares, effects(painter, reader, torch.eye(DIM), samples=50, seed=1).squares)


def test_scores_of_clean_and_of_mixed_directions(painter, reader):
    painter.class_names = ("a", "b")  # two factors, then
    clean = factors.score(effects(painter, reader, torch.eye(DIM), samples=100))
    for value in clean.values():
        assert value.value == pytest.approx(1, abs=1e-6) and value.low <= value.value <= value.high + 1e-12
    half = math.sqrt(0.5)
    mixed = factors.score(effects(painter, reader, [[half, half, 0, 0], [half, -half, 0, 0]], samples=2000))
    for value in mixed.values():
        assert value.value == pytest.approx(0, abs=0.02)
    with pytest.raises(InputError, match="two of each"):
        factors.score(effects(painter, reader, torch.eye(DIM)[:1], samples=10))


def test_names_say_what_moves():
    squares = torch.tensor([[4.0, 1.0], [9.0, 1.0], [0.1, 0.0], [0.5, 0.5], [0.2, 8.0]], dtype=torch.double)[None]
    found = factors.Effects(("a", "b"), squares, torch.zeros(5, 2), torch.zeros(5), (1.0, 1.0))
    assert factors.names(found, least=0.6) == ("a 2", "a", None, None, "b")


def test_scores_against_a_computation_by_hand():
    squares = torch.tensor([[3.0, 1.0], [1.0, 3.0], [0.0, 0.0]], dtype=torch.double)
    found = factors.scores(squares)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert found["disentanglement"].item() == pytest.approx(1 - entropy / math.log(2))
    assert found["completeness"].item() == pytest.approx(1 - entropy / math.log(3))
    assert found["gap"].item() == pytest.approx(0.5)
    assert found["overall"] == (found["disentanglement"] + found["completeness"]) / 2
    both = factors.scores(torch.stack([squares, torch.ones(3, 2, dtype=torch.double)]))
    assert both["gap"].tolist() == pytest.approx([0.5, 0.0])


def test_a_factor_that_nothing_moves_is_not_found():
    still = torch.zeros(5, 3, 2, dtype=torch.double)
    still[:, 0, 0] = 1.0
    found = factors.scores(still.mean(0))
    assert found["completeness"] == found["gap"] == pytest.approx(0.5)


def test_intervals_cover_the_truth_as_often_as_they_say():
    hits, rng = 0, torch.Generator().manual_seed(0)
    truth = factors.scores(torch.tensor([[2.0, 0.5], [1.0, 1.5]], dtype=torch.double))["gap"].item()
    for seed in range(60):
        noise = torch.rand(80, 2, 2, generator=rng, dtype=torch.double) * 2
        squares = noise * torch.tensor([[2.0, 0.5], [1.0, 1.5]])
        value = factors.score(
            factors.Effects(("a", "b"), squares, torch.zeros(2, 2), torch.zeros(2), (1.0, 1.0)), seed
        )["gap"]
        hits += value.low <= truth <= value.high
    assert 52 <= hits <= 60


def test_alignment_takes_one_factor_and_leaves_the_other(painter, reader):
    directions = Directions(vectors=torch.eye(DIM), method="test")
    found = factors.alignment(painter, reader, directions[0], samples=100)
    assert set(found) == {"line", "circle", "kind"}
    assert found["line"]["after"].value == pytest.approx(0, abs=1e-7)
    assert found["circle"]["kept"].value == pytest.approx(1, abs=1e-6)
    z = Sampling().draw(painter, 100)[0][:, 0]
    assert found["line"]["before"].value == pytest.approx(0.1 * z[:, 0].std().item(), rel=1e-5)
    before = found["line"]["before"]
    assert before.low < before.value < before.high


def test_another_resolution_is_refused(painter):
    with pytest.raises(InputError, match="painter generates images of 4 pixels, but the factor network reads 8"):
        effects(painter, Reader([LINE], 8), torch.eye(DIM))


def test_spread_and_difference_on_the_circle():
    assert difference(CIRCLE, torch.tensor(0.95), torch.tensor(0.05)).item() == pytest.approx(-0.1, abs=1e-6)
    assert difference(LINE, torch.tensor(0.95), torch.tensor(0.05)).item() == pytest.approx(0.9)
    values = torch.randn(50)
    assert factors.spread(LINE, values) == pytest.approx(values.std().item(), rel=1e-5)
    turned = (values * 0.02 + 0.99).remainder(1)
    assert factors.spread(CIRCLE, turned) == pytest.approx(0.02 * values.std().item(), rel=1e-3)


def test_distances_of_samples():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=300), rng.normal(0.3, 1.2, size=200)
    assert distance(LINE, torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(ks_2samp(a, b).statistic)
    x, y = torch.from_numpy(rng.random(300) ** 2), torch.from_numpy(rng.random(300))
    kuiper = distance(CIRCLE, x, y)
    for turn in (0.2, 0.5, 0.9):
        assert distance(CIRCLE, (x + turn) % 1, (y + turn) % 1) == pytest.approx(kuiper, abs=1e-9)
    assert kuiper >= distance(LINE, x, y)
    assert distance(CIRCLE, x, x) == 0


def test_frechet_distance(monkeypatch):
    rng = torch.Generator().manual_seed(0)
    a = torch.randn(80, 5, generator=rng) @ torch.randn(5, 5, generator=rng)
    b = torch.randn(60, 5, generator=rng) + 0.5
    first, second = (np.cov(each.double().T) for each in (a, b))
    mean = (a.double().mean(0) - b.double().mean(0)).square().sum().item()
    expected = mean + np.trace(first + second - 2 * sqrtm(first @ second).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + 2) == pytest.approx(20, rel=1e-6)
    monkeypatch.setattr(frechet, "ROWS", 7)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
