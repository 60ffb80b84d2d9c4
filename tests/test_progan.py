"""ProGAN: published layouts against the images that published networks give, and the networks' parts."""

import json
import pickle
import sys
import types
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn.functional import avg_pool2d, conv_transpose2d, interpolate

from direction_finder.errors import InputError
from direction_finder.generators import load_generator
from direction_finder.generators.networks.progan import Critic, EqualisedConv, ProGAN, double, pixel_norm, spread
from direction_finder.generators.progan import ZOO_CONFIG
from tests.conftest import call
from tests.test_weights import Bomb

GOLDEN = Path(__file__).parent / "golden"
LAYOUTS = ("progan-genforce", "progan-genforce-fused", "progan-zoo")


def golden(name: str) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """State dict, z and image of a file of the published layout."""
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - a safetensors file is no mapping
    state = {key.removeprefix("state."): tensor for key, tensor in tensors.items() if key.startswith("state.")}
    return state, tensors["z"], tensors["image"]


def write(path: Path, state: dict[str, torch.Tensor]) -> str:
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, path)
    return f"progan:{path}"


@pytest.mark.parametrize("name", LAYOUTS)
def test_golden_images_are_reproduced(name, tmp_path):
    state, z, image = golden(name)
    generator = load_generator(write(tmp_path / "g.safetensors", state), fused_scale="fused" in name or None)
    assert (generator.dim, generator.resolution) == (z.shape[1], image.shape[-1])
    drawn = generator(z[:, None])
    assert image.std() > 0.2
    assert (drawn - image).abs().max() < 1e-4


def test_fused_scale_is_seen_where_widths_differ(tmp_path):
    state, z, _ = golden("progan-genforce")
    plain = load_generator(write(tmp_path / "plain.safetensors", state))
    turned = {
        key: tensor.transpose(0, 1).flip(2, 3) if key in ("layer2.weight", "layer4.weight", "layer6.weight") else tensor
        for key, tensor in state.items()
    }
    fused = load_generator(write(tmp_path / "fused.safetensors", turned))
    assert torch.equal(plain(z[:, None]), fused(z[:, None]))


def test_a_fused_layer_is_upsampling_and_a_turned_convolution(rng):
    x = torch.randn(2, 3, 5, 5, generator=rng, dtype=torch.double)
    weight = torch.randn(3, 4, 3, 3, generator=rng, dtype=torch.double)
    padded = torch.nn.functional.pad(weight, (1, 1, 1, 1))
    kernel = padded[..., 1:, 1:] + padded[..., :-1, 1:] + padded[..., 1:, :-1] + padded[..., :-1, :-1]
    expected = conv_transpose2d(x, kernel, stride=2, padding=1)
    turned = weight.transpose(0, 1).flip(2, 3)
    assert torch.allclose(torch.conv2d(double(x), turned, padding=1), expected, atol=1e-12)


@pytest.mark.parametrize("name", LAYOUTS)
def test_wrong_and_renamed_weights_are_named(name, tmp_path):
    state, _, _ = golden(name)
    for key in (key for key in state if key.endswith(("weight", "bias"))):
        renamed = {f"{each}s" if each == key else each: tensor for each, tensor in state.items()}
        with pytest.raises(InputError, match=key.replace(".", r"\.") + "|not a ProGAN"):
            load_generator(write(tmp_path / "renamed.safetensors", renamed))
    wrong = {**state, "more.weight": torch.zeros(2)}
    with pytest.raises(InputError, match=r"more\.weight is not part of"):
        load_generator(write(tmp_path / "more.safetensors", wrong))
    bias = next(key for key in state if key.endswith("1.bias") or "groupScale0.0.module.bias" in key)
    with pytest.raises(InputError, match="shape"):
        load_generator(write(tmp_path / "shape.safetensors", {**state, bias: torch.zeros(5)}))


def zoo_file(path: Path, extra: object = None) -> Path:
    """A file as pytorch_GAN_zoo saves them: networks and an object of a class of its own."""
    names = ZOO_CONFIG.split(".")
    modules = [".".join(names[:count]) for count in range(1, len(names))]
    state, _, _ = golden("progan-zoo")
    try:
        for name in modules:
            sys.modules[name] = types.ModuleType(name)
        config = type(names[-1], (), {"__module__": modules[-1]})
        setattr(sys.modules[modules[-1]], names[-1], config)
        settings = config()
        settings.depthScale0, settings.nested = 24, config()
        other = {key: torch.zeros_like(tensor) for key, tensor in state.items()}
        average = {f"module.{key}": tensor for key, tensor in state.items()}
        content = {"config": settings, "netD": {}, "netG": other, "avgG": average, "extra": extra}
        torch.save(content, path)
    finally:
        for name in modules:
            del sys.modules[name]
    return path


def test_a_file_of_the_zoo_loads_its_average(tmp_path):
    _, z, image = golden("progan-zoo")
    generator = load_generator(f"progan:{zoo_file(tmp_path / 'celeba.pth')}")
    facts = json.loads(call("info", tmp_path / "celeba.pth", "--json").stdout)
    assert (facts["kind"], facts["dim"], facts["resolution"]) == ("progan weights", 20, 32)
    assert (generator(z[:, None]) - image).abs().max() < 1e-4


def test_a_hostile_file_of_the_zoo_is_not_run(tmp_path):
    target = tmp_path / "ran"
    path = zoo_file(tmp_path / "hostile.pth", Bomb(target))
    with pytest.raises(InputError, match="refused without running"):
        load_generator(f"progan:{path}")
    assert not target.exists()
    with pytest.raises((pickle.UnpicklingError, ModuleNotFoundError)):  # and the stub is not left allowed
        torch.load(zoo_file(tmp_path / "plain.pth"), weights_only=True)


def test_equalised_rate(rng):
    conv = EqualisedConv(5, 7, 3, padding=1)
    x = torch.randn(64, 5, 8, 8, generator=rng)
    assert torch.allclose(conv(x), torch.conv2d(x, conv.weight * (2 / 45) ** 0.5, conv.bias, padding=1), atol=1e-5)
    with torch.no_grad():
        conv.weight.normal_(generator=rng)
        inner = EqualisedConv(512, 64, 1)
        inner.weight.normal_(generator=rng)
        wide = inner(torch.randn(256, 512, 1, 1, generator=rng))
    assert abs(wide.std() - 2**0.5) < 0.05  # He's gain, whatever the width


def test_pixel_norm_has_unit_mean_square(rng):
    x = 3 * torch.randn(4, 16, 5, 5, generator=rng)
    assert torch.allclose(pixel_norm(x).square().mean(1), torch.ones(4, 5, 5), atol=1e-5)


def test_spread_is_the_mean_deviation_within_a_group():
    x = torch.zeros(8, 2, 3, 3, dtype=torch.double)
    x[:4, 0] = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.double)[:, None, None]  # deviation 1, other channel 0
    found = spread(x)
    assert found.shape == (8, 1, 3, 3)
    assert torch.allclose(found[:4], torch.full((4, 1, 3, 3), 0.5, dtype=torch.double), atol=1e-4)
    assert found[4:].max() < 1e-3


@torch.no_grad()
def test_fading_in(rng):
    network, critic = ProGAN(6, (8, 8, 4)), Critic((8, 8, 4))
    z = torch.randn(4, 6, generator=rng)
    low, high = network(z, 1.0), network(z, 2.0)
    assert (low.shape[-1], high.shape[-1]) == (8, 16)
    for alpha in (1e-7, 0.5, 1.0):
        mixed = network(z, 1 + alpha)
        assert torch.allclose(mixed, (1 - alpha) * double(low) + alpha * high, atol=1e-5)
    images = torch.randn(4, 3, 16, 16, generator=rng)
    at_zero = critic(images, 1 + 1e-7)[0]
    assert torch.allclose(at_zero, critic(avg_pool2d(images, 2), 1.0)[0], atol=1e-4)
    assert not torch.allclose(critic(images, 1.5)[0], at_zero, atol=1e-3)
    # between the two the features are mixed before the lower levels see them
    before = torch.nn.functional.leaky_relu(critic.inputs[1](avg_pool2d(images, 2)), 0.2)
    after = torch.nn.functional.leaky_relu(critic.inputs[2](images), 0.2)
    for conv in critic.blocks[1]:
        after = torch.nn.functional.leaky_relu(conv(after), 0.2)
    x = (before + avg_pool2d(after, 2)) / 2
    for conv in critic.blocks[0]:
        x = torch.nn.functional.leaky_relu(conv(x), 0.2)
    x = avg_pool2d(x, 2)
    x = torch.cat([x, spread(x)], 1)
    for conv in critic.last[:-1]:
        x = torch.nn.functional.leaky_relu(conv(x), 0.2)
    assert torch.allclose(critic(images, 1.5)[0], critic.last[-1](x).flatten(), atol=1e-5)


def test_an_unfinished_network_is_drawn_at_full_size(tmp_path):
    state, z, _ = golden("progan-genforce")
    finished = load_generator(write(tmp_path / "g.safetensors", state))
    half = load_generator(write(tmp_path / "half.safetensors", {**state, "lod": torch.tensor(1.5)}))
    assert half.resolution == 32 and half.activation_names[-2] == "layer6"
    low, high = (finished.network(z, grown) for grown in (1.0, 2.0))
    expected = interpolate(0.5 * double(low) + 0.5 * high, scale_factor=2.0, mode="nearest")
    assert torch.allclose(half(z[:, None]), expected, atol=1e-5)
    with pytest.raises(InputError, match="lod is 4: expected 0 to 3"):
        load_generator(write(tmp_path / "bad.safetensors", {**state, "lod": torch.tensor(4.0)}))


def test_activations_are_those_after_the_norm(tmp_path):
    state, z, _ = golden("progan-genforce")
    generator = load_generator(write(tmp_path / "g.safetensors", state))
    found = generator.activations(z[:, None], None, ["layer1", "layer6"])
    assert found["layer1"].shape == (3, 32, 4, 4) and found["layer6"].shape == (3, 32, 16, 16)
    for tensor in found.values():
        assert torch.allclose(tensor.square().mean(1), torch.ones_like(tensor[:, 0]), atol=1e-3)


def test_every_verb_takes_a_progan(tmp_path):
    state, _, _ = golden("progan-genforce-fused")
    spec = write(tmp_path / "g.safetensors", state)
    run = tmp_path / "run"
    assert call("learn", "--generator", spec, "--fused-scale", "--method", "coordinates", "--out", run).exit_code == 0
    assert json.loads((run / "config.json").read_text())["generator"]["fused_scale"] is True
    for verb, *options in (
        ["render", "grid", run, "--directions", "0-2"],
        ["render", "grid", run, "--directions", "z3,z1", "--layout", "pair"],
        ["align", run, "--direction", "z3"],
        ["info", run],
    ):
        result = call(verb, *options)
        assert result.exit_code == 0, result.stderr
    result = call("learn", "--generator", "eyes", "--fused-scale", "--out", tmp_path / "eyes")
    assert result.exit_code == 2 and "it is for progan:" in result.stderr
