import pytest
import torch

from direction_finder import rotations
from direction_finder.diagonalisation import SOLVERS, solve, square_eigenvectors, unit_norm
from direction_finder.discovery.mean_field import mean_field
from direction_finder.errors import InputError
from direction_finder.hessians import diagonal_share
from direction_finder.rotations import raise_energy, squares
from tests.jacobi import jacobi
from tests.planted import worst_match


def planted_matrices(
    n: int, count: int, noise: float, seed: int, signed: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """Symmetric matrices diagonal in one basis, and noise of a share of each one's norm."""
    rng = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64, generator=rng))[0].mT
    values = torch.randn(count, n, dtype=torch.float64, generator=rng) * torch.linspace(1.5, 0.5, n)
    matrices = torch.einsum("mi,ij,ik->mjk", values if signed else values.abs(), basis, basis)
    error = torch.randn(count, n, n, dtype=torch.float64, generator=rng)
    error = error + error.mT
    scale = matrices.norm(dim=(1, 2)) / error.norm(dim=(1, 2))
    return matrices + noise * scale[:, None, None] * error, basis


@pytest.mark.parametrize("n", [8, 32])
@pytest.mark.parametrize(("noise", "least"), [(0.0, 0.999), (0.1, 0.98)])
def test_joint_diagonalisation_finds_the_planted_basis(n, noise, least):
    matrices, basis = planted_matrices(n, 60, noise, seed=n)
    found = solve("joint", matrices)
    assert worst_match(found, basis) >= least
    assert torch.allclose(found @ found.mT, torch.eye(n, dtype=torch.float64), atol=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
def test_eigenvectors_find_it_where_the_mean_separates(solver):
    matrices, basis = planted_matrices(8, 400, 0.0, seed=1, signed=False)
    assert worst_match(solve(solver, matrices, weight="raw"), basis) >= 0.999


def energy(matrices: torch.Tensor, basis: torch.Tensor) -> float:
    diagonals = (basis @ matrices @ basis.mT).diagonal(dim1=1, dim2=2)
    return float(diagonals.square().sum() / matrices.square().sum())


@pytest.mark.parametrize("n", [2, 5, 24, 60])
@pytest.mark.parametrize("noise", [0.0, 0.3, 0.8])
def test_it_reaches_the_energy_of_jacobi_rotations_from_the_same_start(n, noise):
    matrices, _ = planted_matrices(n, 30, noise, seed=3)
    start = square_eigenvectors(matrices)
    assert energy(matrices, raise_energy(matrices, start)) > energy(matrices, jacobi(matrices, start)) - 1e-3


@pytest.mark.parametrize("n", [2, 5, 8])
def test_any_small_rotation_in_any_plane_makes_it_worse(n):
    matrices, _ = planted_matrices(n, 20, 0.8, seed=3)
    basis = raise_energy(matrices, torch.eye(n), tolerance=0.0)
    best = energy(matrices, basis)
    assert best > energy(matrices, torch.eye(n, dtype=torch.float64))
    for i in range(n):
        for j in range(i):
            for angle in (-1e-2, 1e-2):
                turned = basis.clone()
                c, s = torch.tensor(angle).cos(), torch.tensor(angle).sin()
                turned[i], turned[j] = c * basis[i] + s * basis[j], c * basis[j] - s * basis[i]
                assert energy(matrices, turned) < best


def test_it_goes_on_from_where_it_was():
    matrices, _ = planted_matrices(12, 40, 0.3, seed=5)
    found = raise_energy(matrices, square_eigenvectors(matrices))
    again = raise_energy(matrices, found, rounds=1)
    assert worst_match(again, found) > 0.9999


@pytest.mark.parametrize("scale", [1e-40, 1e-6, 1e30])
def test_the_scale_of_the_matrices_does_not_matter(scale):
    matrices, _ = planted_matrices(6, 20, 0.1, seed=6)
    start = square_eigenvectors(matrices)
    torch.testing.assert_close(raise_energy(scale * matrices, start), raise_energy(matrices, start), rtol=0, atol=1e-3)


def test_matrices_that_no_rotation_changes_leave_the_start():
    basis = raise_energy(torch.eye(4).double().repeat(3, 1, 1), torch.eye(4))
    torch.testing.assert_close(basis, torch.eye(4).double())
    torch.testing.assert_close(raise_energy(torch.ones(3, 1, 1).double(), torch.eye(1)), torch.eye(1).double())


def test_the_order_is_by_diagonal_energy():
    matrices, _ = planted_matrices(8, 100, 0.0, seed=2)
    found = solve("joint", matrices, weight="raw")
    energies = (found @ matrices @ found.mT).diagonal(dim1=1, dim2=2).square().mean(0)
    assert torch.equal(energies, energies.sort(descending=True).values)


def test_unit_weight_ignores_loudness():
    matrices, _ = planted_matrices(6, 10, 0.3, seed=4)
    louder = matrices * torch.linspace(1, 100, 10, dtype=torch.float64)[:, None, None]
    assert worst_match(solve("joint", matrices), solve("joint", louder)) > 0.9999
    assert worst_match(solve("joint", matrices), solve("joint", louder, weight="raw")) < 0.9999
    with pytest.raises(InputError, match="mean, squares, subspace, joint"):
        solve("pca", matrices)


def test_subspace_rotates_the_strongest_fifth_only():
    matrices, _ = planted_matrices(20, 60, 0.3, seed=2)
    squares, turned = solve("squares", matrices), solve("subspace", matrices)
    assert torch.equal(turned[4:], squares[4:])
    assert torch.allclose(turned[:4].mT @ turned[:4], squares[:4].mT @ squares[:4], atol=1e-9)
    assert diagonal_share(matrices, turned).mean() > diagonal_share(matrices, squares).mean()


def test_points_where_nothing_changes_are_left_out():
    matrices, _ = planted_matrices(4, 5, 0.1, seed=0)
    with_dead = torch.cat([matrices, torch.zeros(2, 4, 4).double()])
    assert unit_norm(with_dead)[5:].abs().sum() == 0
    torch.testing.assert_close(solve("joint", with_dead), solve("joint", matrices))


def test_no_change_at_any_point_gets_one_line():
    with pytest.raises(InputError, match="no direction changes anything at any point"):
        solve("joint", torch.zeros(3, 4, 4))


@pytest.mark.parametrize("objective", [squares, mean_field(0.3)])
def test_slopes_are_derivatives_of_the_energy(objective):
    """In one plane at a time, against differences of the energy along a rotation."""
    matrices, _ = planted_matrices(4, 6, 0.5, seed=0)
    matrices = matrices @ matrices
    planes, total = torch.triu_indices(4, 4, 1), matrices.square().sum()

    def energy_at(plane: int, angle: float) -> float:
        skew = torch.zeros(4, 4, dtype=torch.float64)
        skew[planes[0, plane], planes[1, plane]] = angle
        turn = torch.linalg.matrix_exp(skew - skew.mT)
        return rotations._energy(turn @ matrices @ turn.mT, total, objective)

    slopes = rotations._slopes(matrices, planes, total, objective)
    for plane in range(planes.shape[1]):
        low, here, high = (energy_at(plane, angle) for angle in (-1e-3, 0.0, 1e-3))
        assert -float(slopes.gradient[plane]) == pytest.approx((high - low) / 2e-3, rel=1e-3, abs=1e-6)
        assert float(slopes.curvature[plane]) == pytest.approx(abs(high + low - 2 * here) / 1e-6, rel=1e-3, abs=1e-3)
