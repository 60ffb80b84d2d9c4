import pytest
import torch

from direction_finder.errors import InputError
from direction_finder.hessians import diagonal_share, hessian, jacobian_gram, orthogonal_probes
from direction_finder.stacks import energies as energies_of


@pytest.mark.parametrize("num", [1, 2, 5, 8, 100])
def test_probes_resolve_the_identity(num, rng):
    probes = orthogonal_probes(num, rng)
    assert len(probes) >= num
    assert len(probes) & (len(probes) - 1) == 0
    assert torch.equal(probes.abs(), torch.ones_like(probes))
    assert torch.allclose(probes.mT @ probes / len(probes), torch.eye(num))


def test_a_quadratic_has_its_matrix_exactly(rng):
    forms = torch.randn(3, 6, 6, dtype=torch.float64, generator=rng)
    forms = forms + forms.mT
    x = torch.randn(6, dtype=torch.float64, generator=rng)
    u = torch.randn(3, dtype=torch.float64, generator=rng)
    found = hessian(
        lambda z: torch.einsum("bi,kij,bj->bk", z, forms, z) / 2, x, u, orthogonal_probes(6, rng), max_batch=3
    )
    assert torch.allclose(found, torch.einsum("k,kij->ij", u, forms), atol=1e-12)


def test_smooth_functions_converge_as_epsilon_squared(rng):
    weight = torch.randn(5, 4, dtype=torch.float64, generator=rng)
    x = torch.randn(5, dtype=torch.float64, generator=rng)
    u = torch.ones(4, dtype=torch.float64)
    exact_hessian = torch.autograd.functional.hessian(lambda z: (z @ weight).sin() @ u, x)
    jacobian = torch.autograd.functional.jacobian(lambda z: (z @ weight).sin(), x)
    exact_gram = jacobian.mT @ jacobian

    def errors(epsilon):
        probes = orthogonal_probes(5, torch.Generator().manual_seed(0))
        found = hessian(lambda z: (z @ weight).sin(), x, u, probes, epsilon=epsilon)
        gram = jacobian_gram(lambda z: (z @ weight).sin(), x, epsilon=epsilon)
        return (found - exact_hessian).norm() / exact_hessian.norm(), (gram - exact_gram).norm() / exact_gram.norm()

    for coarse, fine in zip(errors(0.02), errors(0.01), strict=True):
        assert fine < 1e-2
        assert 3.5 < coarse / fine < 4.5


def test_passes_and_context(rng):
    rows, context = [], torch.tensor([[2.0]])

    def f(z, scale):
        assert scale.shape == (len(z), 1)
        rows.append(len(z))
        return scale * z.prod(1, keepdim=True)

    x = torch.tensor([1.0, 2.0, 3.0])
    found = hessian(f, x, torch.ones(1), orthogonal_probes(3, rng), context=(context,), max_batch=5)
    assert sum(rows) == 8  # 2 P gradients
    assert max(rows) <= 5
    expected = 2 * torch.tensor([[0.0, 3, 2], [3, 0, 1], [2, 1, 0]])
    assert torch.allclose(found, expected, atol=1e-2)
    rows.clear()
    jacobian_gram(f, x, context=(context,), max_batch=4)
    assert (sum(rows), max(rows)) == (6, 4)


def test_the_diagonal_share(rng):
    basis = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64, generator=rng))[0].mT
    values = torch.randn(10, 6, dtype=torch.float64, generator=rng)
    matrices = torch.einsum("mi,ij,ik->mjk", values, basis, basis)
    assert torch.allclose(diagonal_share(matrices, basis), torch.ones(10, dtype=torch.float64))
    assert (diagonal_share(matrices, torch.eye(6, dtype=torch.float64)) < 0.9).all()
    energies = energies_of(matrices[:, None], basis)
    assert torch.allclose(energies, (values**2 / (values**2).sum(1, keepdim=True)).mean(0))
    # a random symmetric Gaussian matrix has no preferred basis: 2 / (N + 1) of its energy lies on any diagonal
    noise = torch.randn(4000, 6, 6, dtype=torch.float64, generator=rng)
    assert abs(float(diagonal_share(noise + noise.mT, basis).mean()) - 2 / 7) < 0.01
    with pytest.raises(InputError, match="full basis"):
        diagonal_share(matrices, basis[:2])


def test_secants_of_jacobians_are_as_long_as_those_of_hessians():
    """epsilon times the root of the number of dimensions, whatever the direction."""
    seen = []

    def f(rows):
        seen.append(rows)
        return rows

    jacobian_gram(f, torch.zeros(9), epsilon=0.2)
    hessian(
        lambda z: (seen.append(z.detach()), z.square())[1], torch.zeros(9), torch.ones(9), torch.ones(2, 9), epsilon=0.2
    )
    assert torch.cat(seen).norm(dim=1) == pytest.approx(0.6)
