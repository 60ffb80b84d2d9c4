"""Intervals of figures: how often they cover the truth, when samples have heavy tails."""

import math

import pytest
import torch
from scipy import stats

from direction_finder.metrics.factors import SCORES, TAILS, Effects, score, scores
from direction_finder.metrics.intervals import FEWEST, Value, interval, mean, of_means, ratio, resampled
from direction_finder.randomness import stream

DIM, LINES, CIRCLES = 24, 3, 2


def population(count: int) -> torch.Tensor:
    """Squared effects (count, DIM, factors) on three factors on lines and two on circles, of axes that are not quite
    right: a circle is read as the angle of two mixtures of z, so that steps near its middle turn it far. Like those of
    `shapes-64`, where the largest of 640 latents has 2.5 times the mean effect on lines and 20 to 27 on circles."""
    rng = stream(0, "population")

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=rng, dtype=torch.double)

    z = draw(count, DIM)
    slopes = []
    for factor in range(LINES):
        gradient = 0.35 * draw(DIM) / DIM**0.5
        gradient[factor] += 1
        slopes.append(gradient + 0.5 * z @ draw(DIM, DIM) / DIM)
    for factor in range(CIRCLES):
        rows = 0.35 * draw(2, DIM) / DIM**0.5
        rows[range(2), [LINES + 2 * factor, LINES + 2 * factor + 1]] += 1
        ends = [(z @ rows.mT)[:, None] + sign * rows.mT for sign in (-1, 1)]
        low, high = (torch.atan2(end[..., 1], end[..., 0]) for end in ends)
        slopes.append(((high - low + math.pi).remainder(2 * math.pi) - math.pi) / (2 * math.pi / 3**0.5))
    return torch.stack(slopes, 2).square()


@pytest.fixture(scope="module")
def squares():
    return population(50_000)


def of(rows: torch.Tensor) -> Effects:
    return Effects(tuple("abcde"), rows, torch.zeros(DIM, 5), torch.zeros(DIM), (1.0,) * 5)


def percentiles(rows: torch.Tensor, seed: int) -> dict[str, Value]:
    """Intervals as versions before 0.3 computed them."""
    around = scores((resampled(len(rows), seed) @ rows.flatten(1) / len(rows)).unflatten(1, rows.shape[1:]))
    return {name: interval(value, around[name]) for name, value in scores(rows.mean(0)).items()}


def coverage(squares: torch.Tensor, samples: int, repetitions: int, intervals) -> dict[str, float]:
    truth, rng = scores(squares.mean(0)), stream(samples, "coverage")
    hits = dict.fromkeys(SCORES, 0)
    for seed in range(repetitions):
        found = intervals(squares[torch.randint(len(squares), (samples,), generator=rng)], seed)
        for name, value in found.items():
            hits[name] += value.low <= truth[name] <= value.high
    return {name: hit / repetitions for name, hit in hits.items()}


def test_the_population_has_heavy_tails(squares):
    total = squares[:640].sum(1)
    largest = total.amax(0) / total.mean(0)
    assert largest[:LINES].max() < 3 and largest[LINES:].max() > 10


def test_intervals_of_scores_cover_the_truth(squares):
    """With as many latents as `measure` has by default."""
    found = coverage(squares, 256, 150, lambda rows, seed: score(of(rows), seed))
    assert min(found.values()) >= 0.92 and found["overall"] >= 0.95


def test_percentiles_do_not(squares):
    assert coverage(squares, 256, 100, percentiles)["overall"] < 0.88


@pytest.mark.parametrize("samples", [20, 60])
def test_means_of_skewed_values_are_covered(samples):
    rng, hits = stream(0, "lognormal"), {"studentised": 0, "percentile": 0}
    for seed in range(300):
        values = torch.randn(samples, generator=rng, dtype=torch.double).exp()
        other = resampled(samples, seed) @ values / samples
        for name, found in (("studentised", mean(values, seed)), ("percentile", interval(values.mean(), other))):
            hits[name] += found.low <= math.exp(0.5) <= found.high
    assert hits["studentised"] >= 0.9 * 300 and hits["studentised"] >= hits["percentile"] + 0.02 * 300


def test_means_of_normal_values_have_students_interval():
    values = torch.randn(40, generator=stream(1, "normal"), dtype=torch.double)
    found = mean(values, 0)
    half = stats.t.ppf(0.975, 39) * values.std().item() / 40**0.5
    assert found.value == pytest.approx(values.mean().item())
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.12)


def test_standard_errors_are_those_of_the_delta_method():
    """The error of a ratio, by hand: that of above - ratio * below, divided by below."""
    above, below = torch.rand(2, 50, generator=stream(2, "ratio"), dtype=torch.double) + 1
    found = ratio(above, below, 0)
    value = above.sum() / below.sum()
    half = 2.01 * (above - value * below).std().item() / 50**0.5 / below.mean().item()
    assert found.value == pytest.approx(value.item())
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.12)


def test_directions_that_never_move_a_factor_have_intervals_too():
    """The slope of an entropy is infinite at a share of 0."""
    rows = torch.randn(30, DIM, 5, generator=stream(4, "zero"), dtype=torch.double).exp()
    rows[:, :3, 1:4] = 0
    rows[:, 5] = 0
    found, near = score(of(rows)), score(of(rows + 1e-30))
    for name in SCORES:
        assert vars(found[name]) == pytest.approx(vars(near[name]), abs=1e-9), name


def test_intervals_of_scores_are_within_their_bounds():
    rows = (2 * torch.randn(9, DIM, 5, generator=stream(5, "few"), dtype=torch.double)).exp()
    free = [of_means(lambda means, name=name: scores(means)[name], rows, 0, TAILS) for name in SCORES]
    assert min(value.low for value in free) < 0
    assert all(0 <= value.low <= value.high <= 1 for value in score(of(rows)).values())


def test_tails_can_differ():
    values = torch.randn(60, generator=stream(3, "tails"), dtype=torch.double)
    same, lower = (of_means(lambda means: means * 1, values, 0, tails) for tails in ((0.025, 0.025), (0.001, 0.025)))
    assert lower.low < same.low - 0.05 and lower.high == same.high


@pytest.mark.parametrize("values", [torch.ones(20), torch.arange(FEWEST - 1), torch.ones(1)])
def test_values_without_errors_and_few_values_have_percentiles(values):
    values = values.double()
    around = resampled(len(values), 0) @ values / len(values)
    assert mean(values, 0) == interval(values.mean(), around)
