import json

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import one_hot

from direction_finder.edits import move, spread
from direction_finder.errors import InputError
from direction_finder.generators import load_generator
from direction_finder.generators.networks.biggan_deep import fold_spectral_norm, statistics
from tests.sane_biggan import SMALL, sane_biggan, write_folder


@pytest.fixture
def inputs(rng):
    return torch.randn(4, 12, generator=rng) * 0.5, torch.tensor([0, 1, 2, 4])


def package_images(model, z, classes, truncation):
    with torch.no_grad():
        return model(z, one_hot(classes, 5).float(), truncation)


@torch.no_grad()
@pytest.mark.parametrize("truncation", [0.4, 0.5, 0.7, 1.0])
def test_images_equal_the_packages(truncation, biggan_folder, biggan_model, inputs):
    z, classes = inputs
    expected = package_images(biggan_model, z, classes, truncation)
    assert expected.isfinite().all()
    assert (expected.abs() > 0.99).float().mean() < 0.02  # not saturated
    assert (expected[0] - expected[1]).abs().mean() > 0.05
    generator = load_generator(f"biggan-deep:{biggan_folder}", truncation)
    images = generator(spread(z, generator.num_layers), classes)
    assert (images - expected).abs().max() < 1e-4


def test_folding_alone_is_bit_equal(inputs):
    model = sane_biggan()
    before = package_images(model, *inputs, 1.0)
    keys = len(model.state_dict())
    fold_spectral_norm(model)
    assert len(model.state_dict()) < keys
    assert torch.equal(before, package_images(model, *inputs, 1.0))


def test_statistics_are_those_of_the_truncation(biggan_model):
    """Exact on the grid, also where the package takes the row below; linear between, where it swaps the neighbours."""
    norm = biggan_model.generator.bn
    for row in range(51):
        mean, variance = statistics(norm, row / 50)
        assert torch.equal(mean, norm.running_means[row])
        assert torch.equal(variance, norm.running_vars[row])
    for truncation in (0.14, 0.28, 0.56, 0.58, 0.94):
        assert torch.equal(statistics(norm, truncation)[0], norm.running_means[round(truncation * 50)])
    mean, _ = statistics(norm, 0.425)
    assert torch.allclose(mean, 0.75 * norm.running_means[21] + 0.25 * norm.running_means[22])


def test_no_truncation_means_the_statistics_of_one(biggan_folder, inputs):
    z, classes = inputs
    plain, one = (load_generator(f"biggan-deep:{biggan_folder}", truncation) for truncation in (None, 1.0))
    latents = spread(z, plain.num_layers)
    assert torch.equal(plain(latents, classes), one(latents, classes))
    rng = torch.Generator().manual_seed(0)
    assert plain.sample(2000, rng).abs().max() > 2.5
    assert one.sample(2000, rng).abs().max() <= 2


@torch.no_grad()
def test_every_layer_changes_the_image_and_only_activations_below_it_stay(biggan_folder, inputs):
    z, classes = inputs
    generator = load_generator(f"biggan-deep:{biggan_folder}")
    assert generator.num_layers == 6
    assert generator.resolution == 32
    latents = spread(z, 6)
    names = generator.activation_names
    assert names == ("layer0", "layer1", "layer2", "layer3", "attention", "layer4", "layer5", "image")
    before = generator.activations(latents, classes, names)
    direction = torch.eye(12)[3]
    for layer in range(6):
        after = generator.activations(move(latents, direction, 3.0, (layer,)), classes, names)
        position = names.index(f"layer{layer}")
        for name in names[:position]:
            assert torch.equal(before[name], after[name])
        for name in names[position:]:
            assert (before[name] - after[name]).abs().mean() > 1e-4, (layer, name)


def test_gradients_reach_the_latents_only(biggan_folder, inputs):
    z, classes = inputs
    generator = load_generator(f"biggan-deep:{biggan_folder}")
    latents = spread(z, 6).clone().requires_grad_(True)
    generator(latents, classes).square().sum().backward()
    assert (latents.grad.abs().sum((0, 2)) > 0).all()
    assert not any(parameter.requires_grad for parameter in generator.parameters())


def test_other_files_of_weights_and_class_names(tmp_path, biggan_model, biggan_folder):
    write_folder(tmp_path, {**SMALL, "class_names": list("abcde")}, biggan_model)
    save_file(
        {key: tensor.contiguous() for key, tensor in biggan_model.state_dict().items()},
        tmp_path / "generator.safetensors",
    )
    (tmp_path / "pytorch_model.bin").unlink()
    generator = load_generator(f"biggan-deep:{tmp_path}")
    assert generator.class_names == tuple("abcde")
    assert generator.weights_sha256 == load_generator(f"biggan-deep:{biggan_folder}").weights_sha256


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("<!DOCTYPE html>", "a web page"),
        ("{", "not JSON"),
        ("{}", "missing required field z_dim"),
        (json.dumps({**SMALL, "layers": [[True, 16]]}), "does not describe|missing|expected"),
        (json.dumps({**SMALL, "z_dim": 13}), "expected"),
        (json.dumps({**SMALL, "class_names": ["a"]}), "1 class names for 5"),
    ],
)
def test_a_wrong_config_is_refused(config, words, tmp_path, biggan_model):
    write_folder(tmp_path, SMALL, biggan_model)
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(InputError, match=words):
        load_generator(f"biggan-deep:{tmp_path}")


def test_wrong_weights_are_refused_by_name(tmp_path, biggan_model):
    state = biggan_model.state_dict()
    renamed = {key.replace("conv_to_rgb.bias", "conv_to_rgb.biases"): tensor for key, tensor in state.items()}
    write_folder(tmp_path, SMALL, biggan_model)
    torch.save(renamed, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"conv_to_rgb\.bias is missing"):
        load_generator(f"biggan-deep:{tmp_path}")
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(InputError, match="no weights beside"):
        load_generator(f"biggan-deep:{tmp_path}")


@pytest.mark.parametrize("truncation", [-1.0, 0.0, 1.5])
def test_truncations_without_statistics_are_refused(truncation, biggan_folder):
    with pytest.raises(InputError, match="truncation"):
        load_generator(f"biggan-deep:{biggan_folder}", truncation)
