"""Curved coordinates, and walks along their gradient."""

import math
import time
from dataclasses import replace

import pytest
import torch

from direction_finder.curves import FLAT, Curve
from direction_finder.direction import Direction
from direction_finder.edits import align, combine, coordinate, move, short_of, spread

DIM = 6


@pytest.fixture
def curve(rng) -> Curve:
    matrix = 0.15 * torch.randn(DIM, DIM, generator=rng)
    slope = torch.nn.functional.normalize(torch.randn(DIM, generator=rng), dim=0)
    return Curve.of(slope, matrix + matrix.mT, DIM)


@pytest.fixture
def points(rng) -> torch.Tensor:
    return torch.randn(40, DIM, generator=rng)


def test_the_gradient_is_that_of_the_coordinate(curve, points):
    points.requires_grad_(True)
    gradient = torch.autograd.grad(curve.coordinate(points).sum(), points)[0]
    assert torch.allclose(curve.gradient(points), gradient, atol=1e-6)
    assert torch.allclose(curve.coordinate(torch.zeros(DIM)), torch.zeros(()))


@pytest.mark.parametrize(("amount", "rounding"), [(0.3, 1e-5), (-2.0, 1e-4), (30.0, 1e-2)])  # which the way amplifies
def test_a_walk_raises_the_coordinate_by_the_amount_and_the_way_back_undoes_it(curve, points, amount, rounding):
    moved = curve.walk(points, torch.full((len(points),), amount))
    came = curve.coordinate(moved.double()) - curve.coordinate(points.double())
    arrived = (came - amount).abs() < 1e-4 * max(1, abs(amount))
    steep = curve.gradient(moved).norm(dim=1) / curve.slope.norm()
    assert arrived.float().mean() > 0.5
    assert (steep[~arrived] < FLAT + 1e-3).all()  # those that did not get there stopped where it is flat
    assert (came[~arrived] * math.copysign(1, amount) > -1e-5).all() and (came.abs() < abs(amount) + 1e-3).all()
    begun_steep = curve.gradient(points).norm(dim=1) > 1.01 * FLAT * curve.slope.norm()
    back = curve.walk(moved, -came)
    assert (back - points)[begun_steep].abs().max() < rounding


def test_a_walk_follows_the_gradient_field(curve, points):
    """Many small steps along g / |g|^2 lead to the same place."""
    steps, slow = 4000, points[:8].double()
    for _ in range(steps):
        gradient = curve.gradient(slow)
        slow = slow + gradient / gradient.square().sum(1, keepdim=True) / steps
    assert (curve.gradient(slow).norm(dim=1) > FLAT).all()
    assert torch.allclose(curve.walk(points[:8].double(), torch.ones(8)), slow, atol=1e-3)


def test_a_walk_ends_where_the_coordinate_is_flat():
    """c = x - x^2 / 4 has its top, 1, at x = 2, and half its slope at x = 1."""
    curve = Curve(torch.tensor([1.0, 0.0]), torch.tensor([-0.5]), torch.tensor([[1.0, 0.0]]))
    start = torch.tensor([[0.0, 0.3], [1.5, 0.0], [1.5, 0.0], [2.0, 0.0]])
    moved = curve.walk(start, torch.tensor([5.0, 1.0, -1.0, 1.0]))
    expected = torch.tensor([[1.0, 0.3], [1.5, 0.0], [2 - (0.25 + 4) ** 0.5, 0.0], [2.0, 0.0]])
    assert torch.allclose(moved, expected, atol=1e-5)


def test_without_bends_a_walk_is_straight(points, rng):
    slope = torch.nn.functional.normalize(torch.randn(DIM, generator=rng), dim=0)
    latents, straight = spread(points, 3), Direction(slope)
    for matrix in (torch.zeros(DIM, DIM), 1e-12 * torch.eye(DIM)):
        curved = Direction(slope, curve=Curve.of(slope, matrix, DIM))
        for edit in (move, align):
            assert torch.allclose(edit(latents, curved, 1.7), edit(latents, straight, 1.7), atol=1e-5)
        assert torch.allclose(coordinate(latents, curved), coordinate(latents, straight), atol=1e-5)


def test_the_farthest_walk_is_finite(curve, points):
    moved = curve.walk(points, torch.full((len(points),), 1e6))
    assert torch.isfinite(moved).all()


def test_edits_take_layers_scale_and_an_amount_for_each_sample(curve, points):
    scale, amounts = 2.5, torch.linspace(-0.5, 0.5, len(points))
    direction = Direction(curve.slope, layers=(1,), scale=scale, curve=curve)
    latents = scale * torch.stack([points, points.flip(0)], 1)
    moved = move(latents, direction, amounts)
    assert torch.equal(moved[:, 0], latents[:, 0])
    assert torch.allclose(moved[:, 1] / scale, curve.walk(points.flip(0), amounts), atol=1e-5)
    assert torch.allclose(move(latents, replace(direction, layers=None), amounts)[:, 1], moved[:, 1], atol=1e-5)
    one = move(latents[:1], direction, amounts)
    assert one.shape == latents.shape and torch.allclose(one[3], move(latents[:1], direction, float(amounts[3]))[0])


def test_aligned_samples_are_at_the_value_unless_they_stopped(curve, points):
    direction, latents = Direction(curve.slope, curve=curve), spread(points, 2)
    for value in (0.0, 1.5):
        aligned = align(latents, direction, value)
        stopped = short_of(aligned, direction, value)
        assert (coordinate(aligned, direction)[~stopped] - value).abs().max() < 1e-3
        assert (curve.gradient(aligned)[stopped].norm(dim=-1) < (FLAT + 1e-3) * curve.slope.norm()).all()
        assert not stopped.all()
        assert torch.equal(
            short_of(latents, direction, value), ((coordinate(latents, direction) - value).abs() > 1e-3)[:, 0]
        )


def test_several_curved_moves_follow_one_another(curve, points):
    other = Curve.of(curve.slope.flip(0), torch.diag(torch.linspace(-0.2, 0.2, DIM)), DIM)
    first, second = (Direction(each.slope, curve=each) for each in (curve, other))
    latents = spread(points, 1)
    both = combine(latents, [(first, 0.5), (second, -0.5)])
    assert torch.equal(both, move(move(latents, first, 0.5), second, -0.5))
    assert torch.equal(both, move(latents, 0.5 * first - 0.5 * second))
    assert not torch.allclose(both, combine(latents, [(second, -0.5), (first, 0.5)]), atol=1e-3)


def test_curves_are_equal_by_value(curve):
    same = Curve(*(tensor.clone() for tensor in curve.tensors()))
    assert curve == same and hash(curve) == hash(same) and curve != replace(same, slope=-same.slope)
    assert Direction(curve.slope, curve=curve) == Direction(curve.slope, curve=same) != Direction(curve.slope)
    assert Direction(curve.slope, curve=curve).straight == Direction(curve.slope)


@pytest.mark.parametrize(("dim", "rank"), [(24, 24), (128, 16)])
def test_an_edit_along_a_curve_takes_ten_milliseconds_at_most(dim, rank, rng):
    """64 samples; the quickest of many tries, as the machine may be busy."""
    matrix, slope = 0.3 * torch.randn(dim, dim, generator=rng) / dim**0.5, torch.eye(dim)[0]
    along = Direction(slope, curve=Curve.of(slope, matrix + matrix.mT, rank))
    latents, taken = spread(torch.randn(64, dim, generator=rng), 12), []
    for _ in range(100):
        begun = time.perf_counter()
        move(latents, along, 1.5)
        taken.append(time.perf_counter() - begun)
        if taken[-1] < 0.01:
            break
    assert min(taken) < 0.01
