"""Side effects and distortion: closed forms for known J^T J, and for a generator whose best basis is fixed."""

import pytest
import torch

from direction_finder.directions import Directions
from direction_finder.metrics.distortion import cosines, distortion, steady
from direction_finder.metrics.grams import grams_along, mixed_views
from direction_finder.metrics.side_effects import separate, side_effects
from direction_finder.randomness import normal, stream
from tests.planted import planted

LEVELS = torch.tensor([4.0, 3.0, 2.0, 1.0])


def basis(size: int, seed: int = 0) -> torch.Tensor:
    return torch.linalg.qr(normal(size, size, stream(seed, "basis")))[0]


def turned(degrees: float) -> torch.Tensor:
    """J^T J at one point, with the first two eigenvectors turned against the axes."""
    angle = torch.deg2rad(torch.tensor(degrees))
    rows = torch.eye(4)
    rows[:2, :2] = torch.tensor([[angle.cos(), angle.sin()], [-angle.sin(), angle.cos()]])
    return rows.mT @ torch.diag(LEVELS) @ rows


def test_side_effects_are_the_part_of_the_energy_off_the_diagonal():
    grams = torch.stack([torch.diag(LEVELS), torch.ones(4, 4)])
    assert torch.allclose(side_effects(grams), torch.full((4,), (0 + 3 / 4) / 2))
    assert side_effects(torch.zeros(1, 4, 4)).tolist() == [1, 1, 1, 1]


def test_the_turn_is_the_angle_of_the_best_basis():
    grams = torch.stack([turned(20), turned(-40)])
    assert torch.allclose(cosines(grams).float()[:, :2].acos().rad2deg(), torch.tensor([[20.0], [40.0]]), atol=0.01)
    assert torch.allclose(cosines(grams)[:, 2:], torch.ones(2, 2).double(), atol=1e-6)
    diagonals = grams.diagonal(dim1=1, dim2=2).square().sum(0)
    found = distortion(grams, [torch.diag(LEVELS)[None]])
    assert found.turn == pytest.approx(float(30 * diagonals[:2].sum() / diagonals.sum()), rel=1e-4)
    assert found.random == pytest.approx(0, abs=0.01)


def test_directions_that_move_nothing_are_not_steady():
    """Rounding differs from axis to axis, so it would make axes of eigenvectors that are arbitrary."""
    points = []
    for number in range(8):
        moved = torch.nn.functional.normalize(normal(1, 12, stream(number, "z")), dim=1)
        points.append(moved.mT @ moved + torch.diag(1e-8 * torch.arange(12)))
    grams = torch.stack(points)
    assert steady(grams, mixed_views(grams)).telling.double().mean() < 0.3


def test_planted_directions_are_separate_and_steady_and_others_are_not():
    generator = planted(8)
    generator.module.mixing = torch.linalg.qr(generator.module.mixing.mT)[0].mT * torch.arange(1, 9)[:, None]
    rows = generator.module.rows
    of_rows, of_others = (grams_along(generator, Directions(each, "a"), count=6) for each in (rows, basis(8) @ rows))
    assert of_rows.shape == (6, 8, 8) and torch.allclose(of_rows.norm(dim=(1, 2)), torch.ones(6))
    views = mixed_views(of_rows)
    for signal in (separate, steady):
        good, bad = signal(of_rows, views), signal(of_others, mixed_views(of_others))
        assert good.values.min() > 0.98 and good.telling.all() and not good.scored
        assert bad.values.max() < 0.9 and bad.telling.double().mean() < 0.4
    assert distortion(of_rows, views).turn < 1 < 30 < distortion(of_others, views).turn
