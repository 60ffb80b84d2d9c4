import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import one_hot

from direction_finder.edits import spread
from direction_finder.errors import InputError
from direction_finder.generators import load_generator
from tests.conftest import DIM, NUM_CLASSES, dcgan_state


def published_dcgan(state: dict[str, torch.Tensor]) -> nn.Sequential:
    """The same network as an ordinary Sequential, made by hand from a state dict main.0, main.1, ..."""
    layers: dict[int, nn.Module] = {}
    for key, tensor in state.items():
        number = int(key.split(".")[1])
        if key.endswith("weight") and tensor.ndim == 4:
            stride, padding = (2, 1) if number else (1, 0)
            layers[number] = nn.ConvTranspose2d(*tensor.shape[:2], 4, stride, padding, bias=False)
        elif key.endswith("weight"):
            layers[number] = nn.BatchNorm2d(len(tensor))
    modules = []
    for number in range(max(layers) + 2):
        modules.append(layers.get(number) or (nn.Tanh() if number > max(layers) else nn.ReLU()))
    network = nn.Sequential(*modules)
    network.load_state_dict({key.removeprefix("main."): tensor for key, tensor in state.items()})
    return network.eval()


def load(path, num_classes=NUM_CLASSES):
    return load_generator(f"dcgan:{path}", num_classes=num_classes)


@torch.no_grad()
def test_images_are_those_of_the_published_network(dcgan_file, rng):
    generator = load(dcgan_file)
    assert (generator.dim, generator.num_classes, generator.resolution) == (DIM, NUM_CLASSES, 16)
    z, classes = generator.sample(4, rng), torch.tensor([0, 1, 2, 1])
    expected = published_dcgan(dcgan_state())(torch.cat([z, one_hot(classes, NUM_CLASSES)], 1)[:, :, None, None])
    images = generator(spread(z, 1), classes)
    assert images.shape == (4, 3, 16, 16)
    assert images.isfinite().all()
    assert images.std() > 0.1
    assert torch.allclose(images, expected, atol=1e-5)


def test_spellings(tmp_path, dcgan_file):
    """Prefixes, nesting, the gaps that dropout leaves, names in place of numbers, order lost by safetensors."""
    state = dcgan_state()
    wide = {f"main.{number + (number > 1) * 9}.{rest}": tensor for (_, number, rest), tensor in _split(state)}
    named = {f"main.{number:02d}-layer:{number}.{rest}": tensor for (_, number, rest), tensor in _split(state)}
    contents = {
        "bare.pth": {key.removeprefix("main."): tensor for key, tensor in state.items()},
        "parallel.pth": {f"module.{key}": tensor for key, tensor in state.items()},
        "nested.pth": {"netG_state_dict": state, "epoch": 1},
        "dropout.pth": wide,
        "named.pth": named,
    }
    reference = load(dcgan_file)
    for name, content in contents.items():
        torch.save(content, tmp_path / name)
    save_file({key: tensor.contiguous() for key, tensor in wide.items()}, tmp_path / "sorted.safetensors")
    for name in (*contents, "sorted.safetensors"):
        assert load(tmp_path / name).weights_sha256 == reference.weights_sha256, name


def _split(state):
    for key, tensor in state.items():
        main, number, rest = key.split(".", 2)
        yield (main, int(number), rest), tensor


def test_plain_biased_grey_and_deep_ones(tmp_path, rng):
    state = dcgan_state((10, 16, 8, 8, 4, 1))
    state["main.0.bias"] = torch.randn(16, generator=rng)
    torch.save(state, tmp_path / "g.pth")
    generator = load(tmp_path / "g.pth", num_classes=0)
    assert (generator.dim, generator.num_classes, generator.resolution) == (10, 0, 64)
    images = generator(spread(generator.sample(2, rng), 1))
    assert images.shape == (2, 3, 64, 64)
    assert torch.equal(images[:, 0], images[:, 2])


def test_it_is_frozen(dcgan_file, rng):
    generator = load(dcgan_file).train()
    assert not generator.training
    assert not any(module.training for module in generator.modules())
    z = generator.sample(2, rng).requires_grad_(True)
    generator(spread(z, 1), torch.tensor([0, 1])).sum().backward()
    assert z.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in generator.parameters())


def test_activations_come_by_name_and_no_deeper_than_asked(dcgan_file, rng):
    generator = load(dcgan_file)
    latents, classes = spread(generator.sample(2, rng), 1), torch.tensor([0, 1])
    ran = []
    for i, conv in enumerate(generator.network.convs):
        conv.register_forward_hook(lambda *_, i=i: ran.append(i))
    found = generator.activations(latents, classes, ["layer1", "layer0"])
    assert found.keys() == {"layer0", "layer1"}
    assert ran == [0, 1]
    assert found["layer1"].shape == (2, 8, 8, 8)
    with pytest.raises(InputError, match="layer0, layer1, image"):
        generator.activations(latents, classes, ["layer7"])


def test_truncation_cuts_and_scales_z(dcgan_file, rng):
    free = load(dcgan_file).sample(4000, rng)
    cut = load_generator(f"dcgan:{dcgan_file}", 0.5, num_classes=NUM_CLASSES).sample(4000, rng)
    assert free.abs().max() > 2.5
    assert 0.9 < cut.abs().max() <= 1.0
    assert abs(float(cut.std()) / 0.5 - 0.8796) < 0.02  # standard deviation of a normal cut to [-2, 2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"main.0.weight": torch.ones(9, 16, 3, 4)}, "not a square convolution"),
        ({"main.1.running_mean": None}, "not a square convolution|missing|norms"),
        ({"main.3.weight": torch.ones(15, 8, 4, 4)}, "expected"),
        ({"main.9.weight": torch.ones(4)}, "not a square convolution"),
    ],
)
def test_what_is_no_dcgan_is_refused(change, words, tmp_path):
    state = {key: tensor for key, tensor in {**dcgan_state(), **change}.items() if tensor is not None}
    torch.save(state, tmp_path / "g.pth")
    with pytest.raises(InputError, match=words):
        load(tmp_path / "g.pth")


def test_bad_calls_say_what_is_expected(dcgan_file, rng):
    generator = load(dcgan_file)
    with pytest.raises(InputError, match=r"expected \(batch, 1, 6\)"):
        generator(generator.sample(2, rng), torch.tensor([0, 1]))
    with pytest.raises(InputError, match=r"classes have shape None, expected \(2,\)"):
        generator(spread(generator.sample(2, rng), 1))
    with pytest.raises(InputError, match="takes 9 inputs"):
        load(dcgan_file, num_classes=9)


def test_eyes_come_from_the_installed_wheel(rng):
    eyes = load_generator("eyes")
    assert (eyes.dim, eyes.num_classes, eyes.resolution) == (100, 8, 128)
    assert eyes.class_names[1] == "blue"
    with torch.no_grad():
        images = eyes(spread(eyes.sample(8, rng), 1), torch.arange(8))
    assert images.isfinite().all()
    assert 0.2 < images.std() < 0.9
    assert (images.abs() > 0.99).float().mean() < 0.2
    grey, red = images[4], images[7]
    assert (grey[0] - grey[2]).abs().mean() < (red[0] - red[2]).abs().mean()


@pytest.mark.parametrize("number", ["²", "9" * 5000])
def test_layers_that_are_not_numbered_by_a_number_are_no_error_of_ours(number, tmp_path):
    state = dcgan_state()
    torch.save({name.replace("main.0", f"main.{number}"): tensor for name, tensor in state.items()}, tmp_path / "g.pth")
    assert load_generator(f"dcgan:{tmp_path / 'g.pth'}").dim == DIM + NUM_CLASSES
