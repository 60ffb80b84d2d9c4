"""Local Basis: singular vectors of the Jacobian at one point."""

import pytest
import torch
from torch import nn

import direction_finder as df
from direction_finder import discovery
from direction_finder.errors import InputError
from direction_finder.generators import WrappedModule
from tests.conftest import NUM_CLASSES, call
from tests.planted import planted, worst_match


def test_of_a_linear_generator_they_are_those_of_its_matrix():
    layer = nn.Linear(6, 48)
    _, values, rows = torch.linalg.svd(layer.weight.detach())
    generator = WrappedModule(nn.Sequential(layer, nn.Unflatten(1, (3, 4, 4))), 6)
    found = discovery.find(generator, "local-basis")
    assert worst_match(found.vectors, rows) > 0.9999
    assert (found.vectors * rows).sum(1).abs().min() > 0.9999  # strongest first
    assert found.scores == pytest.approx(values.tolist(), rel=1e-3)
    few = discovery.find(generator, "local-basis", num_directions=2)
    assert torch.equal(few.vectors, found.vectors[:2]) and found.finding.reason == "one point"


def test_the_derivative_is_that_at_one_random_point():
    generator, drawn = planted(8), []
    original = generator.sample
    generator.sample = lambda n, rng: drawn.append(original(n, rng)) or drawn[-1]
    found = discovery.find(generator, "local-basis", seed=5)
    z = drawn[0]
    derivative = torch.autograd.functional.jacobian(lambda x: generator.module(x[None]).flatten(), z[0])
    _, values, rows = torch.linalg.svd(derivative)
    assert (found.vectors * rows).sum(1).abs().min() > 0.999
    assert found.scores == pytest.approx(values.tolist(), rel=2e-3)
    secant = discovery.find(generator, "local-basis", seed=5, epsilon=0.5)
    assert (secant.vectors * rows).sum(1).abs().min() < 0.99
    assert worst_match(found.vectors, discovery.find(generator, "local-basis", seed=6).vectors) < 0.99


def test_the_point_may_be_that_of_a_class_and_the_output_an_activation(biggan_folder):
    generator = df.load_generator(f"biggan-deep:{biggan_folder}")
    found = discovery.find(generator, "local-basis", at=("layer3", "image"), dims=(0, 3), layers=(2, 5), class_name="1")
    assert found.vectors.shape == (4, 12) and not found.vectors[:, 4:].any()
    assert found.layers[0] == (2, 3, 4, 5) and found.class_index == 1
    image = discovery.find(generator, "local-basis", dims=(0, 3), layers=(2, 5), class_name="1")
    assert worst_match(found.vectors, image.vectors) < 0.99
    with pytest.raises(InputError, match="derivatives of layer1 are zero or not finite"):
        discovery.find(generator, "local-basis", at=("layer1",), layers=(2, 5))
    with pytest.raises(InputError, match="layer99"):
        discovery.find(generator, "local-basis", at=("layer99",))


def test_a_random_forward_is_refused():
    class Noisy(nn.Module):
        def forward(self, z):
            return z[:, :3, None, None] + 1e-3 * self.training * torch.randn(len(z), 3, 4, 4)

    generator = WrappedModule(Noisy(), 4)
    generator.module.training = True
    with pytest.raises(InputError, match="two calls on the same input differ"):
        discovery.find(generator, "local-basis")


def test_the_command(dcgan_file, tmp_path):
    result = call("learn", "--generator", f"dcgan:{dcgan_file}", "--num-classes", NUM_CLASSES, "--class", 1,
                  "--method", "local-basis", "--memory-limit", 8, "--out", tmp_path / "run")  # fmt: skip
    assert result.exit_code == 0, result.stderr
    generator = df.load_generator(f"dcgan:{dcgan_file}", num_classes=NUM_CLASSES)
    found = discovery.find(generator, "local-basis", class_name=1)
    assert worst_match(df.Directions.load(tmp_path / "run").vectors, found.vectors) > 0.999
    again = call("learn", "--resume", tmp_path / "run")
    assert again.exit_code == 0, again.stderr
