"""The mean-field term of a VAE over orthonormal bases, and its limits for small and large beta."""

import pytest
import torch

from direction_finder import discovery
from direction_finder.diagonalisation import joint, solve, square_eigenvectors
from direction_finder.discovery import mean_field
from direction_finder.rotations import raise_energy
from tests.conftest import NUM_CLASSES, call
from tests.planted import planted, worst_match


def grams(n: int, count: int, noise: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """J^T J (count, n, n) of Jacobians whose columns, in one basis (n, n), are orthogonal up to noise, and unlike."""
    rng = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64, generator=rng))[0]
    lengths = torch.exp(torch.randn(count, 1, n, dtype=torch.float64, generator=rng) - torch.linspace(0, 3, n))
    columns = torch.linalg.qr(torch.randn(count, 3 * n, n, dtype=torch.float64, generator=rng))[0] * lengths
    rows = columns @ basis + noise * torch.randn(count, 3 * n, n, dtype=torch.float64, generator=rng)
    return rows.mT @ rows, basis


def term(matrices: torch.Tensor, basis: torch.Tensor, beta: float) -> float:
    """The mean over points of log det diag(Q (I + J^T J / beta) Q^T), by its definition; beta is relative."""
    n = len(basis)
    beta = beta * float(matrices.diagonal(dim1=1, dim2=2).mean())
    inside = basis @ (torch.eye(n, dtype=torch.float64) + matrices / beta) @ basis.mT
    return float(inside.diagonal(dim1=1, dim2=2).log().sum(1).mean())


def pham(matrices: torch.Tensor, basis: torch.Tensor) -> float:
    """Pham's criterion: the mean of log det diag M - log det M, M = Q J^T J Q^T."""
    inside = basis @ matrices @ basis.mT
    return float((inside.diagonal(dim1=1, dim2=2).log().sum(1) - torch.linalg.slogdet(matrices)[1]).mean())


def random_bases(n: int, number: int) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(9)
    return [torch.linalg.qr(torch.randn(n, n, dtype=torch.float64, generator=rng))[0] for _ in range(number)]


@pytest.mark.parametrize("beta", [1e-4, 1.0, 100.0])
def test_the_basis_that_was_planted(beta):
    matrices, basis = grams(12, 30, 0.0)
    assert worst_match(mean_field.solve(matrices, beta), basis) > 0.999
    generator = planted(8, seed=3)
    mixing = torch.linalg.qr(torch.randn(48, 8, generator=torch.Generator().manual_seed(0)))[0].mT
    generator.module.mixing.copy_(mixing * torch.linspace(3, 1, 8)[:, None])
    found = discovery.find(generator, "mean-field", points=24, beta=beta, keep_going=True)
    assert worst_match(found.vectors, generator.module.rows) > 0.999


@pytest.mark.parametrize("beta", [1e-4, 0.1, 1.0])
def test_no_turn_in_a_plane_makes_the_term_smaller(beta):
    matrices, _ = grams(7, 20, 0.1)
    best = mean_field.solve(matrices, beta)
    least = term(matrices, best, beta)
    assert least < term(matrices, square_eigenvectors(matrices), beta)
    for i in range(7):
        for j in range(i):
            for angle in (-1e-2, 1e-2):
                turned, (c, s) = best.clone(), (torch.tensor(angle).cos(), torch.tensor(angle).sin())
                turned[i], turned[j] = c * best[i] + s * best[j], c * best[j] - s * best[i]
                assert least < term(matrices, turned, beta)


def test_at_one_point_the_term_is_the_log_determinant_by_hadamard():
    matrices, _ = grams(10, 1, 0.3)
    relative = matrices[0] / matrices[0].diagonal().mean()
    least = float(torch.linalg.slogdet(torch.eye(10, dtype=torch.float64) + relative / 0.2)[1])
    assert term(matrices, random_bases(10, 1)[0], 0.2) > 1.05 * least
    assert term(matrices, mean_field.solve(matrices, 0.2), 0.2) == pytest.approx(least, rel=1e-5)


def test_large_beta_is_raw_least_squares():
    matrices, _ = grams(16, 24, 0.1)
    raw = raise_energy(matrices, square_eigenvectors(matrices), tolerance=mean_field.TOLERANCE)
    unit = solve("joint", matrices)
    assert worst_match(mean_field.solve(matrices, 1e6).float(), raw.float()) > 0.9999
    assert worst_match(unit.float(), raw.float()) < 0.999
    assert worst_match(mean_field.solve(matrices, 1.0).float(), raw.float()) < 0.999


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_small_beta_is_phams_criterion(seed):
    matrices, _ = grams(16, 24, 0.03, seed)
    found = pham(matrices, mean_field.solve(matrices, 1e-5))
    rivals = [raise_energy(matrices, start, objective=mean_field.mean_field(1e-5)) for start in random_bases(16, 5)]
    assert found <= min(pham(matrices, basis) for basis in rivals) + 1e-4
    assert found < 0.98 * min(pham(matrices, basis) for basis in (joint(matrices), square_eigenvectors(matrices)))


def test_phams_criterion_ignores_the_scale_of_each_point():
    matrices, _ = grams(8, 20, 0.1)
    louder = matrices * torch.logspace(-1, 1, 20)[:, None, None]
    assert worst_match(mean_field.solve(matrices, 1e-5), mean_field.solve(louder, 1e-5)) > 0.999
    assert worst_match(mean_field.solve(matrices, 1e4), mean_field.solve(louder, 1e4)) < 0.99


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1e30])
def test_beta_is_relative_to_the_matrices(scale):
    matrices, _ = grams(8, 20, 0.1)
    same = mean_field.solve(scale * matrices, 0.5)
    assert worst_match(same, mean_field.solve(matrices, 0.5)) > 0.9999


def test_matrices_that_no_rotation_changes_end_at_once():
    seen = []

    def watched(diagonals):
        seen.append(len(diagonals))
        return mean_field.mean_field(1.0)(diagonals)

    basis = raise_energy(torch.eye(4).double().repeat(3, 1, 1), torch.eye(4), objective=watched)
    torch.testing.assert_close(basis, torch.eye(4).double())
    assert len(seen) < 10


def test_it_measures_what_jacobian_measures():
    states = {}
    for method, settings in (("jacobian", {"by": "whole"}), ("mean-field", {})):
        discovery.find(
            planted(8), method, points=5, at=("image",), epsilon=0.3, eta=2.0, **settings,
            progress=lambda step, method=method: states.update({method: step.state()}),
        )  # fmt: skip
    assert torch.equal(states["jacobian"]["matrices"], states["mean-field"]["matrices"])


def test_weight_unit_counts_points_alike():
    raw, unit = (
        discovery.find(planted(8), "mean-field", points=12, beta=1e3, **settings)
        for settings in ({}, {"weight": "unit"})
    )
    same = discovery.find(planted(8), "jacobian", by="whole", at=("image",), points=12, weight="unit")
    assert worst_match(unit.vectors, same.vectors) > 0.999 > worst_match(raw.vectors, same.vectors)


def test_another_beta_is_solved_without_measuring(dcgan_file, tmp_path):
    folder = tmp_path / "run"
    base = ("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--method", "mean-field")
    assert call(*base, "--points", 9, "--out", folder).exit_code == 0
    first, log = (folder / "directions.safetensors").read_bytes(), (folder / "log.jsonl").read_text()
    assert call("learn", "--resume", folder, "--beta", 1e-3).exit_code == 0
    assert (folder / "directions.safetensors").read_bytes() != first
    assert (folder / "log.jsonl").read_text() == log  # no point was measured
    assert call("learn", "--resume", folder, "--beta", 1).exit_code == 0
    assert (folder / "directions.safetensors").read_bytes() == first
    refused = call("learn", "--resume", folder, "--beta", 0)
    assert refused.exit_code == 2 and "beta" in refused.stderr
