"""Moves that keep other coordinates, several coordinates set at once, and how much the order of moves matters."""

import math

import pytest
import torch
from scipy.optimize import brentq

from direction_finder.curves import FLAT, Curve
from direction_finder.direction import Direction
from direction_finder.directions import Directions
from direction_finder.edits import align, combine, commutativity_error, coordinate, move, short_of, spread
from direction_finder.errors import InputError
from direction_finder.joint_walks import Coordinates
from direction_finder.samples import Samples

DIM, SIZE = 6, 0.3
EYE = torch.eye(DIM)


def curved(slope: torch.Tensor, matrix: torch.Tensor, **known) -> Direction:
    return Direction(slope, curve=Curve.of(slope, matrix, DIM), **known)


@pytest.fixture
def bent(rng) -> list[Direction]:
    """Four curved directions whose slopes are not at right angles."""
    matrices = 0.08 * torch.randn(4, DIM, DIM, generator=rng)
    slopes = torch.nn.functional.normalize(EYE[:4] + 0.2 * torch.randn(4, DIM, generator=rng), dim=1)
    return [
        curved(slope, each + each.mT, number=i) for i, (slope, each) in enumerate(zip(slopes, matrices, strict=True))
    ]


@pytest.fixture
def points(rng) -> torch.Tensor:
    return torch.randn(40, DIM, generator=rng)


def steep(directions: list[Direction], points: torch.Tensor) -> torch.Tensor:
    """Whether the first coordinate is steeper than where walks end, with the others kept."""
    found, only = Coordinates.of([each.curve for each in directions]), torch.eye(len(directions))[:1].double()
    slowest = found.velocity(torch.zeros(1, DIM).double(), only).norm() / FLAT
    return found.velocity(points.double(), only.expand(len(points), -1)).norm(dim=1) < 0.99 * slowest


def analytic() -> tuple[Direction, Direction]:
    """The real and the imaginary part of w + SIZE w^2 / 2, w = x + iy, whose gradients are orthogonal everywhere."""
    first, second = torch.zeros(2, DIM, DIM)
    first[0, 0], first[1, 1], second[0, 1], second[1, 0] = SIZE, -SIZE, SIZE, SIZE
    return curved(EYE[0], first), curved(EYE[1], second)


def test_a_move_keeps_the_coordinates_of_others_and_can_be_undone(bent, points):
    latents, (along, *others) = spread(points, 2), bent
    moved = move(latents, along, 1.5, keep=others)
    came = coordinate(moved, along) - coordinate(latents, along)
    arrived = (came - 1.5).abs() < 1e-4
    assert arrived.float().mean() > 0.8
    for each in others:
        assert (coordinate(moved, each) - coordinate(latents, each)).abs().max() < 1e-4
    back = move(moved, along, -came[:, 0], keep=others)
    assert (back - latents)[steep(bent, points)].abs().max() < 1e-4
    plain = move(latents, along, 1.5)
    assert max((coordinate(plain, each) - coordinate(latents, each)).abs().mean() for each in others) > 0.1


def test_keeping_a_straight_coordinate_is_a_walk_in_the_plane_that_it_leaves(bent, points):
    """In that plane, c is another curve, whose walk has a closed form."""
    (along, *_), normal = bent, torch.nn.functional.normalize(torch.ones(DIM), dim=0)
    moved = move(spread(points, 1), along, 0.8, keep=Direction(normal))[:, 0]
    plane = (EYE - normal[:, None] * normal).double()
    matrix = (along.curve.axes.mT * along.curve.bends @ along.curve.axes).double()
    for point, found in zip(points, moved, strict=True):
        height = float(point @ normal)
        slope = plane @ (along.curve.slope + height * matrix @ normal.double())
        inner = Curve.of(slope, plane @ matrix @ plane, DIM)
        expected = inner.walk((plane @ point.double())[None], torch.tensor([0.8]))[0] + height * normal
        if (inner.coordinate(expected) - inner.coordinate(plane @ point.double()) - 0.8).abs() < 1e-4:
            assert torch.allclose(found.double(), expected, atol=1e-4)


def test_what_is_kept_by_itself_makes_no_difference(points):
    first, second = analytic()
    near = 0.5 * points
    assert torch.allclose(
        move(spread(near, 1), first, 0.7, keep=[second]), move(spread(near, 1), first, 0.7), atol=1e-4
    )


def test_a_walk_ends_where_the_coordinate_is_flat_as_a_plain_one_does():
    """c = x - x^2 / 4 has half its slope at x = 1; keeping y is no hindrance."""
    along = Direction(EYE[0], curve=Curve(EYE[0], torch.tensor([-0.5]), EYE[:1]))
    start = torch.zeros(3, DIM)
    start[1, 0], start[2, 1] = 1.5, 0.3
    latents = spread(start, 1)
    amounts = torch.tensor([5.0, -1.0, -2.0])
    moved = move(latents, along, amounts, keep=[Direction(EYE[1])])
    assert torch.allclose(moved, move(latents, along, amounts), atol=1e-3)
    assert short_of(align(latents, along, 5.0, keep=[Direction(EYE[1])]), along, 5.0).all()


def test_each_sample_goes_its_own_way(bent, points):
    amounts = torch.linspace(-2, 2, len(points))
    together = move(spread(points, 1), bent[0], amounts, keep=bent[1:])
    for i in (0, 7, 39):
        assert torch.allclose(
            move(spread(points[i : i + 1], 1), bent[0], amounts[i], keep=bent[1:])[0], together[i], atol=1e-5
        )
    spaced = move(spread(points[:1], 1), bent[0], amounts, keep=bent[1:])
    assert spaced.shape == (40, 1, DIM) and torch.allclose(spaced[0], together[0], atol=1e-5)
    far = move(spread(points, 1), bent[0], 1e6, keep=bent[1:])
    assert torch.isfinite(far).all()


def test_several_coordinates_are_set_together(bent, points):
    samples = Samples(spread(points, 2))
    values = [0.5, -1.0]
    aligned = align(samples, bent[:2], values, keep=bent[2])
    stopped = short_of(aligned, bent[0], 0.5) | short_of(aligned, bent[1], -1.0)
    assert stopped.float().mean() < 0.2
    for each, value in zip(bent[:2], values, strict=True):
        assert (coordinate(aligned, each)[~stopped] - value).abs().max() < 1e-4
    assert (coordinate(aligned, bent[2]) - coordinate(samples, bent[2])).abs().max() < 1e-4
    assert torch.allclose(
        align(samples, bent[:1], [0.5]).latents, align(samples, bent[0], 0.5).latents, atol=1e-4
    )  # one is set as it is alone


def test_a_planted_pair_of_bent_coordinates_is_solved(points):
    first, second = analytic()
    near = 0.5 * points
    aligned = align(spread(near, 1), [first, second], [0.4, torch.linspace(-0.5, 0.5, len(near))])[:, 0]
    goal = torch.complex(torch.full((len(near),), 0.4), torch.linspace(-0.5, 0.5, len(near)))
    w = ((1 + 2 * SIZE * goal).sqrt() - 1) / SIZE
    assert torch.allclose(aligned[:, :2], torch.view_as_real(w), atol=1e-4)
    assert torch.allclose(aligned[:, 2:], near[:, 2:], atol=1e-6)


def test_straight_ones_are_solved_exactly(points, rng):
    vectors = torch.nn.functional.normalize(torch.randn(3, DIM, generator=rng), dim=1)
    directions = Directions(vectors, "random", orthonormal=False, scale=2.0)
    latents = spread(points, 2)
    aligned = align(latents, directions[:2], torch.tensor([0.5, -1.0]), keep=directions[2])
    goals = torch.stack([torch.full((40,), 0.5), torch.full((40,), -1.0), coordinate(latents, directions[2])[:, 0]])
    change = torch.linalg.lstsq(vectors.double(), 2 * goals.double() - vectors.double() @ points.mT.double())[0].mT
    assert torch.allclose(aligned[:, 1].double(), points + change, atol=1e-5)
    basis = Directions(torch.linalg.qr(vectors.mT)[0].mT, "random")
    assert torch.allclose(move(latents, basis[0], 1.5, keep=basis[1:]), move(latents, basis[0], 1.5), atol=1e-5)


def test_scale_and_layers_count(bent, points):
    latents = torch.stack([points, points.flip(0), 2 * points], 1)
    along, other = bent[:2]
    there = Direction(along.vector, (0, 1), scale=2.0, curve=along.curve)
    kept = Direction(other.vector, (1, 2), scale=2.0, curve=other.curve)
    moved = move(2 * latents, there, 0.5, keep=kept) / 2
    assert torch.allclose(moved[:, 0], move(latents, along, 0.5)[:, 0], atol=1e-4)
    assert torch.allclose(moved[:, 1], move(latents, along, 0.5, keep=other)[:, 1], atol=1e-4)
    assert torch.equal(moved[:, 2], latents[:, 2])
    assert torch.equal(
        move(2 * latents, there, 0.5, (2,), kept)[:, 2] / 2, move(latents, along, 0.5, (2,), other)[:, 2]
    )
    for arguments in ((along, 0.5, (3,), other), (along, 0.5, None, Direction(other.vector, (3,)))):
        with pytest.raises(InputError, match="layers 0 to 2"):
            move(latents, *arguments)


def test_edits_and_combined_moves_keep_too(bent, points):
    latents, (first, second, third, _) = spread(points, 1), bent
    both = move(move(latents, first, 0.5, keep=third), second, -0.5, keep=third)
    assert torch.equal(move(latents, 0.5 * first - 0.5 * second, keep=[third]), both)
    assert torch.equal(combine(latents, [(first, 0.5, None, third), (second, -0.5, None, third)]), both)
    straight = first.straight  # what is kept is curved, so these follow one another too
    one_by_one = move(move(latents, straight, 1.0, None, third), straight, 1.0, None, third)
    assert torch.equal(combine(latents, 2 * [(straight, 1.0, None, third)]), one_by_one)


def test_what_cannot_be_done_is_refused(bent, points):
    latents = spread(points, 1)
    near = Direction(torch.nn.functional.normalize(EYE[0] + 0.02 * EYE[1], dim=0), name="near")
    for keep in (bent[0], near, [Direction(each) for each in (*EYE, EYE.mean(0))]):
        with pytest.raises(InputError, match="too alike for one to change while others keep theirs"):
            move(latents, Direction(EYE[0], name="x") if keep is near else bent[0], 1.0, keep=keep)
    for values in (0.0, [0.0], [0.0, 1.0, 2.0]):
        with pytest.raises(InputError, match="for 2 directions: expected one for each"):
            align(latents, bent[:2], values)
    with pytest.raises(InputError, match="3 amounts for 40 samples"):
        align(latents, bent[:2], [torch.zeros(3), 0.0])
    with pytest.raises(InputError, match="these are several directions"):
        combine(latents, [(Directions(EYE, "random"), 1.0, None, bent[0])])
    with pytest.raises(InputError, match="expected \\(batch, layers, dim\\)"):
        move(latents, bent[0], 1.0, keep=torch.zeros(DIM + 1))


def test_slopes_tell_how_far_apart_they_are():
    angle = 0.3
    lines = torch.tensor([[1.0, 0.0], [math.cos(angle), math.sin(angle)]])
    apart = Coordinates.of([Curve(line, line[:0], line[None][:0]) for line in lines]).apart
    assert apart == pytest.approx(math.sqrt(1 - math.cos(angle)))


def test_the_commutativity_error_of_a_known_pair():
    """With c = x and d = y + b x^2 / 2, the second move leaves (x, y) at (x e^bt, y + t), t by how far d rises."""
    b, amount = 0.4, 1.5
    straight, bent = (
        Direction(EYE[0], scale=2.0),
        Direction(EYE[1], scale=2.0, curve=Curve(EYE[1], torch.tensor([b]), EYE[:1])),
    )
    time = brentq(lambda t: t + b * amount**2 * math.expm1(2 * b * t) / 2 - amount, 0, amount)
    expected = math.hypot(amount * math.expm1(b * time), time - amount)
    found = commutativity_error(Samples(torch.zeros(4, 3, DIM)), [straight, bent, Direction(EYE[2], scale=2.0)], amount)
    assert found == pytest.approx(torch.tensor([[0, expected, 0], [expected, 0, 0], [0, 0, 0]]), abs=1e-5)
    assert commutativity_error(torch.randn(4, 1, DIM), Directions(EYE, "random")).max() < 1e-6
