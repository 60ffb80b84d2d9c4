"""The original BigGAN against an image of the published code, and wrong files."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import conv2d, interpolate, normalize, relu

from direction_finder.errors import InputError
from direction_finder.generators import load_generator
from direction_finder.generators.biggan import BigGAN, _empty
from direction_finder.generators.networks.biggan import Spectral
from direction_finder.generators.weights import load_strict
from tests.conftest import call
from tests.sane_original import live

GOLDEN = Path(__file__).parent / "golden" / "biggan-brock.safetensors"


@pytest.fixture(scope="module")
def golden():
    """State, z, labels, images."""
    held = load_file(GOLDEN)
    state = {key.removeprefix("state."): tensor for key, tensor in held.items() if key.startswith("state.")}
    return state, held["z"], held["label"], held["image"]


def write(path: Path, state: dict[str, torch.Tensor]) -> str:
    torch.save(state, path)
    return f"biggan:{path}"


@torch.no_grad()
def test_the_golden_image_is_reproduced_folded_and_live(golden, tmp_path, monkeypatch):
    state, z, classes, image = golden
    generator = load_generator(write(tmp_path / "G_ema.pth", state))
    assert (generator.dim, generator.num_layers, generator.num_classes, generator.resolution) == (120, 1, 10, 128)
    assert (generator(z[:, None], classes) - image).abs().max() < 1e-4
    held = _empty(state, "golden")
    load_strict(held, state, "golden")
    assert (live(held, z, classes).tanh() - image).abs().max() < 1e-4
    monkeypatch.setattr(Spectral, "normed", lambda self: self.weight)
    without = load_generator(f"biggan:{tmp_path / 'G_ema.pth'}")
    assert (without(z[:, None], classes) - image).abs().max() > 0.01
    assert (live(held, z, classes).tanh() - image).abs().max() > 0.01


@torch.no_grad()
def test_activations_stop_where_asked_and_chunks_feed_their_block(golden, tmp_path):
    state, z, classes, _ = golden
    generator = load_generator(write(tmp_path / "G.pth", state))
    assert generator.activation_names == (*(f"layer{i}" for i in range(5)), "attention", "layer5", "image")
    moved = z.clone()
    moved[:, 60:80] += 1  # the third block's
    before, after = (generator.activations(rows[:, None], classes, ["layer2", "layer3"]) for rows in (z, moved))
    assert torch.equal(before["layer2"], after["layer2"]) and not torch.equal(before["layer3"], after["layer3"])


def test_a_batch_norm_weighs_the_class_as_the_file_says(golden, tmp_path):
    state, z, _classes, _ = golden
    generator = load_generator(write(tmp_path / "G.pth", state))
    assert not torch.equal(*(generator(z[:, None], torch.full((2,), label)) for label in (0, 1)))
    assert generator.class_names[3] == "class 3" and not any(p.requires_grad for p in generator.parameters())


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda state: state.pop("blocks.2.0.bn1.gain.u0"), "blocks.2.0.bn1.gain.u0 is missing"),
        (lambda state: state.pop("shared.weight"), "shared.weight is missing"),
        (lambda state: state.pop("blocks.4.0.conv1.weight"), "blocks.4.0.conv1.weight is missing"),
        (lambda state: state.update(extra=torch.zeros(1)), "extra is not part of"),
        (lambda state: state.update({"linear.weight": torch.zeros(1024, 21)}), "expected 128 of the class and a chunk"),
        (lambda state: state.update({"blocks.0.0.conv2.bias": torch.zeros(3)}), r"conv2.bias has shape \(3,\)"),
        (lambda state: state.update({"output_layer.2.bias": torch.full((3,), torch.nan)}), "NaN"),
        (lambda state: state.update({"linear.weight": torch.zeros(4)}), "expected 2 axes"),
        (lambda state: state.update({"blocks.0.1.theta.weight": torch.zeros(1)}), "expected one at most"),
    ],
)
def test_wrong_files_are_refused_by_name(golden, tmp_path, change, word):
    state = dict(golden[0])
    change(state)
    with pytest.raises(InputError, match=word):
        load_generator(write(tmp_path / "G.pth", state))


def test_the_published_one_is_found_in_the_cache_or_asked_for(golden, tmp_path, monkeypatch):
    monkeypatch.setenv("DIRECTION_FINDER_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    result = call("learn", "--generator", "biggan-128")
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert "G_ema.pth" in result.stderr and str(tmp_path / "biggan-128") in result.stderr
    (tmp_path / "biggan-128").mkdir()
    save_file({key: value.contiguous() for key, value in golden[0].items()}, tmp_path / "biggan-128/G_ema.safetensors")
    assert "biggan weights" in call("info", tmp_path / "biggan-128/G_ema.safetensors").stdout
    assert load_generator("biggan-128").name == "biggan-128"
    assert "golden retriever" in call("classes", "golden retriever", "--generator", "biggan-128").stdout


def test_without_shared_embedding_every_class_has_a_row(tmp_path, rng):
    """As launch_cifar_ema.sh of BigGAN-PyTorch trains: neither --G_shared nor --hier."""
    channels, classes, dim = 8, 10, 12
    state = BigGAN([channels] * 4, None, dim, 0, classes, split=False).state_dict()
    state = {key: 0.5 * torch.randn(tensor.shape, generator=rng) for key, tensor in state.items()}
    state |= {key: tensor.abs() + 0.5 for key, tensor in state.items() if key.endswith("stored_var")}
    assert state["blocks.0.0.bn1.gain.weight"].shape == (classes, channels)
    assert not [key for key in state if "shared" in key or "gain.u0" in key]
    generator = load_generator(write(tmp_path / "G_ema.pth", state))
    assert (generator.dim, generator.num_classes, generator.resolution, generator.chunk) == (dim, classes, 32, None)

    def weight(name):
        rows = state[f"{name}.weight"].flatten(1)
        right = normalize(state[f"{name}.u0"] @ rows)
        return state[f"{name}.weight"] / (normalize(right @ rows.mT) @ rows @ right.mT)

    def conv(x, name):
        return conv2d(x, weight(name), state[f"{name}.bias"], padding=weight(name).shape[2] // 2)

    def norm(x, name, gain, bias):
        mean, var = (state[f"{name}.stored_{each}"][:, None, None] for each in ("mean", "var"))
        return relu((x - mean) / (var + 1e-5).sqrt() * gain[:, :, None, None] + bias[:, :, None, None])

    z, y = torch.randn(2, dim, generator=rng), torch.tensor([3, 7])
    x = (z @ weight("linear").mT + state["linear.bias"]).view(2, channels, 4, 4)
    for at in ("blocks.0.0", "blocks.1.0", "blocks.2.0"):
        rows = [(1 + state[f"{at}.bn{i}.gain.weight"][y], state[f"{at}.bn{i}.bias.weight"][y]) for i in (1, 2)]
        h = conv(interpolate(norm(x, f"{at}.bn1", *rows[0]), scale_factor=2), f"{at}.conv1")
        x = conv(norm(h, f"{at}.bn2", *rows[1]), f"{at}.conv2") + conv(interpolate(x, scale_factor=2), f"{at}.conv_sc")
    last = (state[f"output_layer.0.{each}"][None] for each in ("gain", "bias"))
    image = conv(norm(x, "output_layer.0", *last), "output_layer.2").tanh()
    assert image.std() > 0.2
    assert (generator(z[:, None], y) - image).abs().max() < 1e-5


def test_a_biggan_deep_of_the_same_code_is_named(golden, tmp_path):
    state = {**golden[0], "blocks.0.0.conv3.weight": torch.ones(4, 4, 3, 3)}
    with pytest.raises(InputError, match=r"a BigGAN-deep of BigGAN-PyTorch .* which cannot be read"):
        load_generator(write(tmp_path / "G_ema.pth", state))
