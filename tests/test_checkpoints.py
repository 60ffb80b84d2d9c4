"""Checkpoints as people have them: the same image as the plain file's, or one line that says what the file is."""

import gzip
import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils import parametrizations

from direction_finder.errors import InputError
from direction_finder.generators import load_generator
from direction_finder.generators.dcgan import steps_of
from direction_finder.generators.networks.dcgan import Step
from direction_finder.generators.weights import read_weights
from direction_finder.generators.weights.norms import folded
from tests.conftest import call
from tests.test_progan import golden

STATE, Z, IMAGE = golden("progan-genforce")
RAW = {key: tensor + 0.1 for key, tensor in STATE.items()}  # beside an average: not what is wanted
CRITIC = {"last.weight": torch.ones(2, 2), "last.bias": torch.ones(2)}
OPTIMISER = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": []}


def prefixed(prefix: str, state: dict = STATE) -> dict:
    return {f"{prefix}{key}": tensor for key, tensor in state.items()}


def mean_of(network: nn.Module) -> dict:
    return torch.optim.swa_utils.AveragedModel(network).state_dict()


FILES = {
    "plain": STATE,
    "module.": prefixed("module."),
    "_orig_mod.": prefixed("_orig_mod."),
    "module._orig_mod.": prefixed("module._orig_mod."),
    "_orig_mod.module.": prefixed("_orig_mod.module."),
    "netG.module.": prefixed("netG.module."),
    "module.generator._orig_mod.": prefixed("module.generator._orig_mod."),
    "model.generator.": prefixed("model.generator.") | prefixed("model.discriminator.", CRITIC),
    "compiled layer by layer": {key.replace(".weight", "._orig_mod.weight"): tensor for key, tensor in STATE.items()},
    "genforce": {"generator": RAW, "discriminator": CRITIC, "generator_smooth": STATE},
    "rosinality": {"g": RAW, "d": CRITIC, "g_ema": STATE, "g_optim": OPTIMISER, "latent_avg": torch.ones(3)},
    "G_ema": {"G": RAW, "D": CRITIC, "G_ema": STATE, "epoch": 3},
    "netG_ema": {"netG": prefixed("module.", RAW), "netD": CRITIC, "netG_ema": prefixed("module.")},
    "model and ema": {"model": RAW, "ema": STATE, "step": 5},
    "shadow": {"generator": RAW, "shadow": STATE},
    "state_dict_ema": {"state_dict": RAW, "state_dict_ema": STATE, "optimizer": OPTIMISER},
    "average side by side": prefixed("G.", RAW) | prefixed("G_ema.") | prefixed("D.", CRITIC),
    "AveragedModel": {"n_averaged": torch.tensor(3), **prefixed("module.")},
    "averaged beside raw": {"model": RAW, "averaged": {"n_averaged": torch.tensor(3), **prefixed("module.")}},
    "Lightning": {
        "epoch": 3, "pytorch-lightning_version": "2.1.0", "optimizer_states": [], "hyper_parameters": {"latent_dim": 8},
        "state_dict": prefixed("generator.") | prefixed("discriminator.", CRITIC),
    },
    "nested deep": {"checkpoint": {"models": {"generator": STATE, "discriminator": CRITIC}}},
    "float16": {key: tensor.half() for key, tensor in STATE.items()},
    "bfloat16": {key: tensor.bfloat16() for key, tensor in STATE.items()},
    "float64": {key: tensor.double() for key, tensor in STATE.items()},
}  # fmt: skip
ROUNDED = {"float16": 0.02, "bfloat16": 0.2}


@pytest.mark.parametrize("name", FILES)
def test_every_way_to_save_a_generator_gives_its_image(name, tmp_path):
    torch.save(FILES[name], tmp_path / "g.pth")
    generator = load_generator(f"progan:{tmp_path / 'g.pth'}")
    assert (generator(Z[:, None]) - IMAGE).abs().max() < ROUNDED.get(name, 1e-4)
    if name not in ROUNDED and name != "float64":
        torch.save(STATE, tmp_path / "plain.pth")
        assert generator.weights_sha256 == load_generator(f"progan:{tmp_path / 'plain.pth'}").weights_sha256


def test_files_of_other_kinds_that_hold_weights(tmp_path):
    save_file(STATE, tmp_path / "renamed.pth")
    np.savez(tmp_path / "arrays.npz", **{key: tensor.numpy() for key, tensor in STATE.items()})
    keys = sorted(STATE)
    shards = {"a.safetensors": keys[::2], "b.safetensors": keys[1::2]}
    for name, part in shards.items():
        save_file({key: STATE[key] for key in part}, tmp_path / name)
    index = {"weight_map": {key: name for name, part in shards.items() for key in part}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    for name in ("renamed.pth", "arrays.npz", "model.safetensors.index.json"):
        assert (load_generator(f"progan:{tmp_path / name}")(Z[:, None]) - IMAGE).abs().max() < 1e-4, name
    index["weight_map"][keys[0]] = "../elsewhere.safetensors"
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="which is not in its folder"):
        load_generator(f"progan:{tmp_path / 'model.safetensors.index.json'}")


def test_a_choice_among_networks_is_said_and_can_be_made(tmp_path):
    torch.save(FILES["genforce"], tmp_path / "g.pth")
    spec = f"progan:{tmp_path / 'g.pth'}"
    (note,) = load_generator(spec).notes
    assert note.startswith("generator_smooth, a moving average, used; the file also holds generator, discriminator")
    raw = load_generator(spec, key="generator")
    assert (raw(Z[:, None]) - IMAGE).abs().max() > 0.1
    with pytest.raises(InputError, match="key 'netG': expected one of generator, discriminator, generator_smooth"):
        load_generator(spec, key="netG")
    run = tmp_path / "run"
    assert call("learn", "--generator", spec, "--key", "generator", "--points", 2, "--out", run).exit_code == 0
    assert call("render", "grid", run, "--samples", 1).exit_code == 0  # the run remembers the key
    learned = call("learn", "--generator", spec, "--points", 2, "--out", tmp_path / "smooth")
    assert "generator_smooth, a moving average, used" in learned.stderr
    assert "generator_smooth" in call("info", tmp_path / "g.pth").stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"first": STATE, "second": RAW}, "several networks, first, second; choose one with `key`"),
        ({"ema_1": STATE, "ema_2": RAW}, "several networks, ema_1, ema_2"),
        ({"discriminator": CRITIC}, "holds discriminator; expected a generator"),
        ({"shadow_params": [torch.ones(2)], "step": 1}, "holds no tensors"),
        ({"a": torch.ones(2), "lr": 0.1}, "'lr' is a float"),
    ],
)
def test_what_is_not_clear_is_asked_for(content, words, tmp_path):
    torch.save(content, tmp_path / "g.pth")
    with pytest.raises(InputError, match=words):
        read_weights(tmp_path / "g.pth")


def test_an_average_without_names_is_mentioned(tmp_path):
    torch.save({"generator": STATE, "ema": {"decay": 0.9}, "shadow_params": [torch.ones(2)]}, tmp_path / "g.pth")
    weights = read_weights(tmp_path / "g.pth")
    assert weights.state.keys() == STATE.keys()
    assert "shadow_params is a list without names" in weights.notes[0]


def scripted(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), path)


class Persistent:
    """Stands for NVIDIA's pickles of whole networks."""


FOREIGN = {
    "TorchScript": (scripted, "a TorchScript archive, which holds code"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps({"G_ema": Persistent()})), "a pickle of Python objects"),
    "Git LFS": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "git lfs pull",
    ),
    "HTML": (lambda path: path.write_text("<!DOCTYPE html><html></html>"), "a web page, not weights"),
    "ONNX": (lambda path: path.write_bytes(b"\x08\x07\x12\x07pytorch\x1a\x052.1.0:"), "an ONNX file"),
    "HDF5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50)), "an HDF5 file"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(b"weights")), "compressed by gzip; unpack it first"),
    "empty": (lambda path: path.touch(), "the file is empty"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_is_named_for_what_it_is(name, tmp_path):
    write, words = FOREIGN[name]
    write(tmp_path / "g.pth")
    for verb in (["learn", "--generator", f"progan:{tmp_path / 'g.pth'}"], ["info", tmp_path / "g.pth"]):
        output = call(*verb).output
        assert words in output
        assert "damaged" not in output
        assert ("download it again" in output) == (name in ("empty", "HTML"))


def test_damage_is_called_damage(tmp_path):
    torch.save(STATE, tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    torch.save(STATE, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "cut_old.pth").write_bytes((tmp_path / "old.pth").read_bytes()[:-500])
    for name in ("cut.pth", "cut_old.pth"):
        with pytest.raises(InputError, match="damaged or cut short; download it again"):
            read_weights(tmp_path / name)
    assert read_weights(tmp_path / "old.pth").state.keys() == STATE.keys()


def layer(kind: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return {"up": nn.ConvTranspose2d(6, 8, 4), "square": nn.ConvTranspose2d(8, 8, 4), "linear": nn.Linear(4, 7)}[
            kind
        ]


NORMS = {
    "spectral": nn.utils.spectral_norm,
    "new spectral": parametrizations.spectral_norm,
    "weight": lambda module: nn.utils.weight_norm(module),
    "new weight": parametrizations.weight_norm,
}


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning")
@pytest.mark.parametrize("kind", ["up", "square", "linear"])
@pytest.mark.parametrize("norm", NORMS)
def test_normed_weights_are_folded(norm, kind):
    normed, plain = NORMS[norm](layer(kind)), layer(kind)
    x = torch.randn(3, 4) if kind == "linear" else torch.randn(3, 6 if kind == "up" else 8, 2, 2)
    for _ in range(30):
        normed.train()(x)
    plain.load_state_dict(
        {key[2:]: tensor for key, tensor in folded({f"a.{k}": t for k, t in normed.state_dict().items()}, "f").items()}
    )
    assert torch.allclose(plain(x), normed.eval()(x), atol=1e-5)


@pytest.mark.parametrize(
    ("kernels", "resolution", "steps"),
    [
        ([4, 4, 4], None, [(1, 0), (2, 1), (2, 1)]),
        ([4, 3, 4, 4], 28, [(1, 0), (2, 1), (2, 1), (2, 1)]),  # 4, 7, 14, 28
        ([7, 4, 4], None, [(1, 0), (2, 1), (2, 1)]),
        ([4, 5, 5, 5], 32, [(1, 0), (2, 2, 1), (2, 2, 1), (2, 2, 1)]),
        ([4, 2, 2, 2, 2], None, [(1, 0), (2, 0), (2, 0), (2, 0), (2, 0)]),
    ],
)
def test_strides_follow_from_kernels_and_size(kernels, resolution, steps):
    assert steps_of(kernels, resolution, "file") == [Step(*step) for step in steps]


def test_sizes_that_are_not_clear_are_asked_for():
    with pytest.raises(InputError, match=r"can make images of .*28.* pixels; give one as `resolution`"):
        steps_of([4, 3, 4, 4], None, "file")
    with pytest.raises(InputError, match="give one as `resolution`"):
        steps_of([4, 4, 4], 20, "file")
    with pytest.raises(InputError, match="no usual number of pixels"):
        steps_of([4, 9], None, "file")


def users_dcgan(activation: nn.Module, output: nn.Module) -> nn.Sequential:
    """A DCGAN for 28 grey pixels."""
    layers = []
    shapes = [(8, 16, 4, 1, 0), (16, 8, 3, 2, 1), (8, 4, 4, 2, 1), (4, 1, 4, 2, 1)]
    with torch.random.fork_rng():
        torch.manual_seed(4)
        for number, (fan_in, fan_out, kernel, stride, padding) in enumerate(shapes):
            layers.append(nn.ConvTranspose2d(fan_in, fan_out, kernel, stride, padding))
            nn.init.normal_(layers[-1].weight, 0, 0.2)
            layers += [output] if number == len(shapes) - 1 else [nn.BatchNorm2d(fan_out), activation]
    return nn.Sequential(*layers).eval()


@pytest.mark.parametrize(
    ("activation", "output", "settings"),
    [
        (nn.ReLU(), nn.Tanh(), {}),
        (nn.LeakyReLU(0.2), nn.Sigmoid(), {"activation": "leaky-relu", "output_activation": "sigmoid"}),
        (nn.ELU(), nn.Identity(), {"activation": "elu", "output_activation": "none"}),
    ],
)
def test_dcgans_of_other_kernels_sizes_and_activations(activation, output, settings, tmp_path):
    network = users_dcgan(activation, output)
    torch.save(network.state_dict(), tmp_path / "g.pth")
    generator = load_generator(f"dcgan:{tmp_path / 'g.pth'}", resolution=28, **settings)
    assert (generator.dim, generator.resolution) == (8, 28)
    z = torch.randn(3, 1, 8)
    images = network(z[:, 0, :, None, None])
    expected = 2 * images - 1 if settings.get("output_activation") == "sigmoid" else images
    assert torch.allclose(generator(z), expected.expand(-1, 3, -1, -1), atol=1e-5)
    assert ("assumed" in " ".join(generator.notes)) == (not settings)


def test_torchgans_layout_has_its_activation_and_it_is_said(tmp_path):
    network = users_dcgan(nn.LeakyReLU(0.2), nn.Tanh())
    state = {}
    for key, tensor in network.state_dict().items():
        number, _, rest = key.partition(".")
        state[f"model.{int(number) // 3}.{int(number) % 3}.{rest}"] = tensor
    torch.save(state, tmp_path / "gan0.pth")
    spec = f"dcgan:{tmp_path / 'gan0.pth'}"
    z = torch.randn(3, 1, 8)
    generator = load_generator(spec, resolution=28)
    assert torch.allclose(generator(z)[:, :1], network(z[:, 0, :, None, None]), atol=1e-5)
    assert "activation leaky-relu and output tanh are assumed" in generator.notes[0]
    with pytest.raises(InputError, match="activation 'swish': expected one of relu, leaky-relu"):
        load_generator(spec, resolution=28, activation="swish")
