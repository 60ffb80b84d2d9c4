import torch
from torch import nn

from direction_finder import discovery
from direction_finder.discovery.configs import OrojarConfig
from direction_finder.discovery.loop import draw_batch
from direction_finder.discovery.orojar import penalties
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.generators import WrappedModule
from direction_finder.penalty import jacobian_penalty
from tests.planted import worst_match
from tests.test_penalty import all_signs, off_diagonal


def linear(n: int = 6) -> WrappedModule:
    module = nn.Sequential(nn.Linear(n, 48), nn.Unflatten(1, (3, 4, 4)))
    rng = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(n, n, generator=rng))[0]
    columns = torch.linalg.qr(torch.randn(48, n, generator=rng))[0] * torch.linspace(2, 0.5, n)
    module[0].weight.data = columns @ basis
    return WrappedModule(module, n)


def test_variance_over_all_probes_is_twice_the_off_diagonal_energy(rng):
    weight = torch.randn(5, 6, dtype=torch.float64, generator=rng)
    x = torch.randn(1, 6, dtype=torch.float64, generator=rng)
    penalty = jacobian_penalty(lambda rows: rows @ weight.mT, x, probes=all_signs(6).unsqueeze(1))
    count = 2**6
    assert penalty.shape == (1,)
    expected = 2 * off_diagonal(weight.mT @ weight) * count / (count - 1)
    assert abs(float(penalty) / float(expected) - 1) < 1e-9


def test_defaults_are_the_published_settings():
    config = OrojarConfig()
    assert (config.batch_size, config.learning_rate, config.num_probes) == (32, 0.01, 2)
    assert (config.epsilon, config.eta, config.rows_per_sample) == (0.1, 0.0, 3)


def test_one_probe_more_than_rows_and_no_shift(rng):
    generator = linear()
    config = OrojarConfig(batch_size=7)
    space = SearchSpace(generator, config)
    batch = draw_batch(space, config, 6, rng)
    assert not batch.w.any()
    rows = []
    generator.module.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    assert penalties(space, config, torch.eye(6), batch).shape == (7,)
    assert rows == [21]


def test_on_a_linear_generator_it_finds_the_right_singular_vectors():
    """SeFa's directions: the eigenvectors of W^T W."""
    generator = linear()
    weight = generator.module[0].weight
    expected = torch.linalg.svd(weight)[2]
    settings = {"steps": 1500, "batch_size": 16, "learning_rate": 0.02, "schedule": "linear", "score_samples": 1}
    found = discovery.find(generator, "orojar", max_batch=1000, share_points=0, **settings)
    assert worst_match(found.vectors, expected) >= 0.999
    assert (found.vectors[0] @ expected[0]).abs() >= 0.999  # the loudest comes first
