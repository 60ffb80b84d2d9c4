"""SeFa: eigenvectors of the weights that read latents."""

import numpy as np
import pytest
import torch
from torch import nn

import direction_finder as df
from direction_finder import discovery
from direction_finder.errors import InputError
from direction_finder.generators import WrappedModule
from tests.conftest import NUM_CLASSES, call
from tests.planted import worst_match


def first_layer(generator, z, classes, at="layer0"):
    """What a layer adds to its output for z, without its bias, from the activation itself."""
    rows = torch.cat([torch.zeros_like(z), z])[:, None].expand(-1, generator.num_layers, -1)
    low, high = generator.activations(rows, classes.repeat(2), [at])[at].chunk(2)
    return (high - low).flatten(1)


@pytest.mark.parametrize("name", ["shapes-64", "shapes-st-rkm", "shapes-vae"])
def test_the_first_weights_multiply_latents(name):
    """BigGAN-deep's first layer is linear; an autoencoder's is followed by a leaky ReLU."""
    generator = df.load_generator(name)
    z = torch.randn(5, generator.dim, generator=torch.Generator().manual_seed(0))
    weights = generator.reads()["layer0"]
    found = first_layer(generator, z, torch.zeros(5, dtype=torch.long))
    if name == "shapes-64":
        expected = (z @ weights.mT).view(5, 4, 4, -1).permute(0, 3, 1, 2).flatten(1)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    else:
        bias = generator.network.decoder.first.bias
        expected = nn.functional.leaky_relu(z @ weights.mT + bias, 0.2) - nn.functional.leaky_relu(bias, 0.2)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_norms_of_blocks_read_latents():
    """The mean output of a block's first norm would move with them: the names are those of the layers."""
    generator = df.load_generator("shapes-64")
    assert list(generator.reads()) == [f"layer{number}" for number in range(generator.num_layers)]
    assert {weights.shape[1] for weights in generator.reads().values()} == {generator.dim}


def test_it_is_the_published_factorisation_of_a_progan():
    """The rows of https://github.com/genforce/sefa's weights, which are normalised, then their eigenvectors."""
    generator = df.load_generator("clevr-simple")
    weight = generator.network.layer0.weight.flip(2, 3).permute(1, 0, 2, 3).flatten(1).numpy()
    weight = weight / np.linalg.norm(weight, axis=0, keepdims=True)
    values, vectors = np.linalg.eigh(weight @ weight.T)
    found = discovery.find(generator, "sefa")
    assert worst_match(found.vectors, torch.from_numpy(vectors.T.copy()).float()) > 0.999
    assert found.scores == pytest.approx(sorted(values, reverse=True), rel=1e-4)


def test_a_dcgan_with_classes_leaves_the_class_out(dcgan_file):
    generator = df.load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)
    weights = generator.reads()["layer0"]
    assert weights.shape == (16 * 4 * 4, generator.dim)
    assert len(discovery.find(generator, "sefa", weight="raw")) == generator.dim


class Two(nn.Module):
    """Two layers read z, one of them with a class; a third reads what the first returns."""

    def __init__(self):
        super().__init__()
        self.first, self.other, self.last = nn.Linear(5, 12), nn.Linear(5 + 2, 12), nn.Linear(12, 3 * 16)

    def forward(self, z, onehot):
        both = self.first(z).relu() * self.other(torch.cat([z, onehot], 1)).sigmoid()
        return self.last(both).tanh().view(-1, 3, 4, 4)


def test_layers_of_users_are_found_by_their_input():
    torch.manual_seed(0)
    module = Two()
    generator = WrappedModule(module, 5, 2, "onehot")
    reads = generator.reads()
    assert list(reads) == ["first", "other"]
    assert torch.equal(reads["other"], module.other.weight[:, :5])
    found = discovery.find(generator, "sefa", read=("first",), weight="raw")
    _, _, rows = torch.linalg.svd(module.first.weight)
    assert worst_match(found.vectors, rows) > 0.999


def test_what_reads_no_latents_gets_one_line(tmp_path):
    class Squared(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 48)

        def forward(self, z):
            return self.layer(z.square()).view(-1, 3, 4, 4)

    with pytest.raises(InputError, match="it is not known which of its weights multiply latents"):
        discovery.find(WrappedModule(Squared(), 4), "sefa")
    with pytest.raises(InputError, match="'layer9' reads no latents; layer0 do"):
        discovery.find(df.load_generator("clevr-simple"), "sefa", read=("layer9",))
    result = call("learn", "--generator", "shapes-64", "--class", "cube", "--method", "sefa", "--read", "layer0",
                  "--read", "layer1", "--dims", "0-9", "--out", tmp_path / "run")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert len(df.Directions.load(tmp_path / "run")) == 10
