"""The checks of a retraction and of an optimiser on the Stiefel manifold, in float64 unless said otherwise."""

import pytest
import torch

from direction_finder.cayley_adam import CayleyAdam, retract, skew_field

DTYPE = torch.float64


def orthonormal(n: int, m: int, seed: int = 0, dtype=DTYPE) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(n, m, dtype=DTYPE, generator=rng))[0].to(dtype)


def defect(x: torch.Tensor) -> float:
    """||X^T X - I||_F of columns."""
    return float((x.mT @ x - torch.eye(x.shape[1], dtype=x.dtype)).norm())


@pytest.fixture
def field():
    x = orthonormal(30, 10)
    momentum = torch.randn(30, 10, dtype=DTYPE, generator=torch.Generator().manual_seed(1))
    skew = skew_field(x, momentum)
    return x, momentum, skew / torch.linalg.matrix_norm(skew, 2)


def test_the_field_is_skew_and_tangent(field):
    """C1: W X = M - X sym(X^T M), the Euclidean projection on the tangent space."""
    x, momentum, _ = field
    skew = skew_field(x, momentum)
    assert (skew + skew.mT).abs().max() < 1e-13
    symmetric = (x.mT @ momentum + momentum.mT @ x) / 2
    assert (skew @ x - (momentum - x @ symmetric)).abs().max() < 1e-13


def dense_cayley(x: torch.Tensor, skew: torch.Tensor, step: float) -> torch.Tensor:
    eye = torch.eye(len(x), dtype=x.dtype)
    return torch.linalg.solve(eye + step / 2 * skew, (eye - step / 2 * skew) @ x)


def test_many_rounds_are_the_exact_cayley_transform(field):
    """C2: exact to rounding, and orthonormal."""
    x, _, skew = field
    exact = dense_cayley(x, skew, 0.4)
    assert defect(exact) < 1e-13
    assert (retract(x, skew, 0.4, rounds=40) - exact).abs().max() < 1e-14


def test_the_defect_of_two_rounds_falls_as_the_fourth_power(field):
    """C3."""
    x, _, skew = field
    coarse, fine = (defect(retract(x, skew, step, rounds=2)) for step in (0.1, 0.01))
    assert coarse < 1e-4
    assert 3.5 < torch.log10(torch.tensor(coarse / fine)) < 5.1


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_it_stays_orthonormal_over_2000_noisy_steps(dtype, limit):
    """C4, at the rate 0.4."""
    rows = orthonormal(120, 40, dtype=dtype).mT.contiguous().requires_grad_(True)
    optimiser = CayleyAdam([rows], lr=0.4)
    rng = torch.Generator().manual_seed(0)
    worst = 0.0
    for step in range(2000):
        rows.grad = torch.randn(40, 120, generator=rng, dtype=dtype)
        optimiser.step()
        if step % 50 == 49:
            worst = max(worst, defect(rows.detach().mT))
    assert worst < limit
    assert (rows.detach().mT - orthonormal(120, 40, dtype=dtype)).norm() > 1  # and it moved


def test_it_is_a_first_order_retraction(field):
    """C5: (Y(a) - X) / -a tends to W X, the error falling with a."""
    x, _, skew = field
    errors = [float(((retract(x, skew, step) - x) / -step - skew @ x).norm()) for step in (1e-3, 1e-4)]
    assert errors[0] < 5e-3
    assert 8 < errors[0] / errors[1] < 12


def test_principal_components_are_found():
    """C6: the subspace of the largest eigenvalues, to 1e-3 radians, once the rate has fallen to zero."""
    rng = torch.Generator().manual_seed(2)
    basis = orthonormal(30, 30, seed=3)
    values = torch.cat([torch.linspace(5, 3, 5), torch.linspace(1, 0.1, 25)]).to(DTYPE)
    covariance = basis * values @ basis.mT
    rows = torch.linalg.qr(torch.randn(30, 5, dtype=DTYPE, generator=rng))[0].mT.contiguous().requires_grad_(True)
    steps = 1500
    optimiser = CayleyAdam([rows], lr=0.1)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = 0.1 * (1 - step / steps)
        optimiser.zero_grad()
        (-(rows @ covariance * rows).sum()).backward()
        optimiser.step()
    cosines = torch.linalg.svdvals(rows.detach() @ basis[:, :5])
    assert torch.arccos(cosines.clamp(max=1)).max() < 1e-3
    kept = float((rows.detach() @ covariance * rows.detach()).sum())
    assert abs(kept / float(values[:5].sum()) - 1) < 1e-4


def test_a_closure_computes_the_gradient_and_its_loss_is_returned():
    start = orthonormal(6, 3).mT.contiguous()
    rows, same = (start.clone().requires_grad_(True) for _ in range(2))
    optimiser, other = CayleyAdam([rows]), CayleyAdam([same])

    def closure() -> float:
        loss = rows[0, 0] ** 2
        loss.backward()
        return loss.item()

    assert optimiser.step(closure) == float(start[0, 0] ** 2)
    (same[0, 0] ** 2).backward()
    assert other.step() is None
    assert torch.equal(rows, same)
    assert not torch.equal(rows, start)
