"""The checkpoints in the box: `shapes-64` and the network that reads its factors."""

import pytest
import torch
from pytorch_pretrained_biggan import BigGAN
from torch.nn.functional import one_hot

from direction_finder import discovery
from direction_finder.datasets import read_images
from direction_finder.edits import spread
from direction_finder.errors import InputError
from direction_finder.generators import class_names, load_generator
from direction_finder.generators.shipped import shipped
from direction_finder.images import as_images
from direction_finder.metrics.activeness import active, activeness
from direction_finder.metrics.factor_network import NETWORK, FactorNetwork, accuracy, read_all
from direction_finder.penalty import hessian_penalty
from direction_finder.scenes import make


@pytest.fixture(scope="module")
def generator():
    return load_generator("shapes-64")


@pytest.fixture(scope="module")
def network():
    return FactorNetwork.load(shipped(NETWORK))


@torch.no_grad()
def test_the_package_loads_it_and_draws_the_same(generator):
    package = BigGAN.from_pretrained(str(shipped("shapes-64"))).eval()
    z = generator.sample(6, torch.Generator().manual_seed(0))
    classes = torch.arange(6) % 3
    theirs = package(z, one_hot(classes, 3).float(), 1.0)
    ours = generator(spread(z, generator.num_layers), classes)
    assert theirs.std() > 0.05
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_its_names(generator):
    assert generator.class_names == class_names("shapes-64") == ("cube", "sphere", "cylinder")
    assert (generator.resolution, generator.num_classes) == (64, 3)
    assert 16 <= generator.dim <= 32


@torch.no_grad()
def test_it_draws_the_class_asked_for_and_every_factor_varies(generator, network):
    z = generator.sample(150, torch.Generator().manual_seed(1))
    classes = torch.arange(150) % 3
    images = torch.cat([generator(spread(part, generator.num_layers), of)
                        for part, of in zip(z.split(30), classes.split(30), strict=True)])  # fmt: skip
    read = read_all(network, images)
    assert (read["class"] == classes).double().mean() > 0.9
    for name in ("x", "y", "size"):
        factor = next(each for each in network.factors if each.name == name)
        assert read[name].std() > 0.5 * (factor.high - factor.low) / 12**0.5, name
    for name in ("hue", "light"):
        on_circle = torch.polar(torch.ones(150), 2 * torch.pi * read[name].float()).mean().abs()
        assert on_circle < 0.4, name


@torch.no_grad()
@pytest.mark.parametrize(("kind", "most_on"), [("clevr-1fov", 3), ("clevr-simple", 12)])
def test_the_progans_draw_their_renders_and_fine_tuning_lowered_the_penalty(kind, most_on, tmp_path):
    real, _ = read_images(make(kind, tmp_path / "new", num=40, resolution=32, seed=77, workers=1).folder)
    real = as_images(torch.from_numpy(real))
    penalties, on = {}, {}
    for name in (kind, f"{kind}-hp"):
        generator = load_generator(name)
        assert (generator.dim, generator.resolution, class_names(name)) == (12, 32, ())
        z = generator.sample(100, torch.Generator().manual_seed(0))
        drawn = generator(z[:, None])
        assert (drawn.mean(0) - real.mean(0)).abs().mean() < 0.06
        assert 0.6 < drawn.std(0).mean() / real.std(0).mean() < 1.4
        layers = [f"layer{number}" for number in range(1, 9)]

        def activations(rows, generator=generator, layers=layers):
            return list(generator.activations(rows[:, None], None, layers).values())

        found = hessian_penalty(activations, z[:20], rng=torch.Generator().manual_seed(1), num_probes=4)
        penalties[name] = sum(each.flatten(1).amax(1).mean() for each in found)
        axes = discovery.find(generator, "coordinates", score_samples=0)
        on[name] = active(activeness(generator, axes, samples=50).mean(1))
    assert penalties[f"{kind}-hp"] < 0.05 * penalties[kind]
    assert on[kind] >= 9 and on[f"{kind}-hp"] <= most_on


@pytest.mark.parametrize("name", ["shapes-st-rkm", "shapes-vae"])
def test_the_autoencoders_decode_new_renders(name, tmp_path):
    """With an error of a sixth of the pixels' variance at most; latents are drawn as they are encoded."""
    pixels, _ = read_images(make("shapes", tmp_path / "new", num=60, resolution=32, seed=77, workers=1).folder)
    real = as_images(torch.from_numpy(pixels))
    generator = load_generator(name)
    assert (generator.dim, generator.resolution, class_names(name)) == (10, 32, ())
    latents = generator.encode(real)
    error = (generator(latents[:, None]) - real).square().sum()
    assert error < (real - real.mean(0)).square().sum() / 6
    drawn = generator.samples(2000).latents[:, 0]
    assert 0.7 < latents.std(0).norm() / drawn.std(0).norm() < 1.4


def test_the_network_reads_new_renders(network, tmp_path):
    found = accuracy(network, make("shapes", tmp_path / "new", num=60, resolution=64, seed=1234, workers=1))
    assert found["class"] >= 0.95
    assert min(found[name] for name in ("x", "y", "size", "hue", "light")) > 0.95


def test_together_they_are_small():
    folder = shipped("shapes-64")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8e6
    assert shipped(NETWORK).stat().st_size < 4e6
    files = [path for path in shipped(NETWORK).parent.rglob("*") if path.is_file() and "training" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 20e6


def test_what_is_not_there_is_said():
    with pytest.raises(InputError, match="none-such: not in"):
        shipped("none-such")
