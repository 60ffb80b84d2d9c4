"""GANSpace: principal components of activations, as directions of latents."""

import numpy as np
import pytest
import torch
from torch import nn

import direction_finder as df
from direction_finder import discovery
from direction_finder.errors import InputError
from direction_finder.generators import WrappedModule
from direction_finder.randomness import stream
from tests.conftest import call
from tests.planted import worst_match

pytest.importorskip("sklearn")


class Stretched(nn.Module):
    """The first layer turns z and stretches it, so its principal components are known."""

    def __init__(self, n: int):
        super().__init__()
        rng = torch.Generator().manual_seed(0)
        self.turn = torch.linalg.qr(torch.randn(n, n, generator=rng))[0]
        self.first, self.last = nn.Linear(n, 3 * n), nn.Linear(3 * n, 48)
        spread = torch.linalg.qr(torch.randn(3 * n, n, generator=rng))[0]
        self.first.weight.data = spread @ torch.linspace(3, 1, n).diag() @ self.turn

    def forward(self, z):
        return self.last(self.first(z).relu()).tanh().view(-1, 3, 4, 4)


def test_planted_components_are_found_in_their_order():
    module = Stretched(6)
    found = discovery.find(WrappedModule(module, 6, name="stretched"), "ganspace", at=("first",), samples=4000)
    assert worst_match(found.vectors, module.turn) > 0.98
    assert (found.vectors[0] @ module.turn[0]).abs() > 0.98
    assert found.scores[0] == pytest.approx(9, rel=0.1) and found.scores[-1] == pytest.approx(1, rel=0.1)


def test_it_is_the_least_squares_of_the_paper():
    """Against PCA of all activations together and a regression of z on its coordinates."""
    generator = df.load_generator("clevr-simple")
    found = discovery.find(generator, "ganspace", samples=600, components=5, max_batch=50)
    rng, drawn = stream(0, "samples"), []
    while sum(map(len, drawn)) < 600:
        drawn.append(generator.sample(50, rng))
    z = torch.cat(drawn)
    activations = generator.activations(z[:, None], None, ["layer1"])["layer1"].flatten(1).numpy()
    centred = activations - activations.mean(0)
    _, _, rows = np.linalg.svd(centred, full_matrices=False)
    fitted = np.linalg.lstsq(centred @ rows[:5].T, z.numpy(), rcond=None)[0]
    fitted /= np.linalg.norm(fitted, axis=1, keepdims=True)
    cosines = np.abs((fitted * found.vectors.numpy()).sum(1))
    assert cosines.min() > 0.98


def test_other_samples_give_about_the_same(tmp_path):
    result = call("learn", "--generator", "shapes-vae", "--method", "ganspace", "--samples", 2000, "--at", "layer1",
                  "--num-directions", 3, "--out", tmp_path / "run")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    directions = df.Directions.load(tmp_path / "run")
    assert len(directions) == 3
    again = discovery.find(df.load_generator("shapes-vae"), "ganspace", samples=2000, at=("layer1",), seed=1)
    assert (directions.vectors[0] @ again.vectors[0]).abs() > 0.9


def test_bad_settings_get_one_line():
    generator = df.load_generator("clevr-simple")
    with pytest.raises(InputError, match="has no activation 'layer99'"):
        discovery.find(generator, "ganspace", at=("layer99",))
    with pytest.raises(InputError, match="samples is 1: expected at least 2"):
        discovery.find(generator, "ganspace", samples=1)
    constant = WrappedModule(nn.Sequential(nn.Linear(4, 48), nn.Unflatten(1, (3, 4, 4))), 4)
    constant.module[0].weight.data.zero_()
    with pytest.raises(InputError, match="the same for every latent"):
        discovery.find(constant, "ganspace", samples=40)
