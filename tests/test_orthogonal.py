import pytest
import torch

from direction_finder.errors import InputError
from direction_finder.orthogonal import PARAMETRISATIONS, cayley, gram_schmidt, matrix_exp, parametrise


def looped_gram_schmidt(rows: torch.Tensor) -> torch.Tensor:
    """The textbook loop, differentiable: an independent computation."""
    done: list[torch.Tensor] = []
    for row in rows:
        for other in done:
            row = row - (row @ other) * other
        done.append(row / row.norm())
    return torch.stack(done)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7)])
def test_gram_schmidt_has_the_loops_result_and_gradient(shape, rng):
    rows = torch.randn(shape, dtype=torch.float64, generator=rng)
    target = torch.randn(shape, dtype=torch.float64, generator=rng)

    def result(function):
        x = rows.clone().requires_grad_(True)
        q = function(x)
        ((q - target) ** 4).sum().backward()
        return q.detach(), x.grad

    (q, grad), (q_loop, grad_loop) = result(gram_schmidt), result(looped_gram_schmidt)
    assert torch.allclose(q, q_loop, atol=1e-12)
    assert torch.allclose(grad, grad_loop, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in PARAMETRISATIONS if name not in ("stiefel", "none")])
def test_every_map_gives_orthonormal_rows_and_begins_at_the_start(name, rng):
    start = gram_schmidt(torch.randn(6, 6, generator=rng, dtype=torch.float64))
    free, rows_of = parametrise(name, start)
    assert torch.allclose(rows_of(free), start, atol=1e-12)
    moved = rows_of(free + 0.3 * torch.randn(free.shape, generator=rng, dtype=torch.float64))
    assert torch.allclose(moved @ moved.mT, torch.eye(6, dtype=torch.float64), atol=1e-12)
    assert not torch.allclose(moved, start, atol=0.1)


@pytest.mark.parametrize("function", [cayley, matrix_exp])
def test_rotations_rotate(function, rng):
    """In the plane both are rotations: by 2 atan(w) for Cayley's W = [[0, -w], [w, 0]], by w for the exponential's."""
    free = torch.tensor([[0.0, 0.4], [0.0, 0.0]], dtype=torch.float64)
    angle = {cayley: 2 * torch.tensor(0.2).double().atan(), matrix_exp: torch.tensor(0.4).double()}[function]
    rotation = function(free)
    assert torch.allclose(rotation[0, 0], angle.cos(), atol=1e-7)
    assert torch.allclose(rotation[0, 1].abs(), angle.sin(), atol=1e-7)
    assert torch.det(rotation) > 0


def test_a_moving_matrix_may_pass_through_dependence(rng):
    """The last row of a square matrix has no gradient of its own, drifts, and crosses the span of the others."""
    rows = torch.randn(30, 30, generator=rng)
    with pytest.raises(InputError, match="row 29"):
        parametrise("gram_schmidt", torch.cat([rows[:-1], rows[:1]]))
    _, rows_of = parametrise("gram_schmidt", rows)
    last = gram_schmidt(rows)[-1]
    target = torch.randn(30, 30, generator=rng)
    gradients = []
    for distance in (1.0, 1e-6, -1e-6):
        moved = torch.cat([rows[:-1], (rows[-1] + (distance - rows[-1] @ last) * last)[None]]).requires_grad_(True)
        found = rows_of(moved)
        assert torch.allclose(found @ found.mT, torch.eye(30), atol=1e-5)
        signs = torch.ones(30, 1)
        signs[-1] = torch.sign(found[-1] @ last)
        (found * signs * target).sum().backward()
        gradients.append(moved.grad[:-1])
    assert torch.allclose(gradients[1], gradients[0], rtol=0.02, atol=0.02 * float(gradients[0].abs().max()))
    assert torch.allclose(gradients[2], gradients[0], rtol=0.02, atol=0.02 * float(gradients[0].abs().max()))
    assert torch.isfinite(rows_of(torch.zeros(3, 3))).all()


def test_dependent_rows_are_refused_by_number():
    rows = torch.eye(4)
    rows[2] = rows[0] + rows[1]
    with pytest.raises(InputError, match="row 2"):
        gram_schmidt(rows)
    with pytest.raises(InputError, match="NaN"):
        gram_schmidt(torch.full((2, 3), float("nan")))
    with pytest.raises(InputError, match="at most 3"):
        gram_schmidt(torch.ones(4, 3))


def test_stiefel_begins_orthonormal(rng):
    start = torch.randn(3, 5, generator=rng)
    free, rows_of = parametrise("stiefel", start)
    assert torch.equal(rows_of(free), gram_schmidt(start))


def test_none_leaves_the_matrix_alone():
    free, rows_of = parametrise("none", torch.ones(2, 3))
    assert rows_of(free) is free
    with pytest.raises(InputError, match="gram_schmidt"):
        parametrise("nothing", torch.ones(2, 3))
