import sys

import pytest
import torch
from torch import nn

from direction_finder.edits import spread
from direction_finder.errors import InputError
from direction_finder.generators import WrappedModule, load_generator


class Net(nn.Module):
    """z -> 3x4x4 images through two linear layers; the class shifts them. Counts its calls of `out`."""

    def __init__(self, dim=5, classes=0, channels=3):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.body = nn.Linear(dim, 7)
            self.drop = nn.Dropout(0.5)
            self.out = nn.Linear(7, channels * 16)
            self.embed = nn.Linear(max(classes, 1), 7)
        self.channels = channels

    def forward(self, z, y=None):
        x = self.drop(self.body(z).tanh())
        if y is not None:
            x = x + (self.embed.weight.mT[y] if y.dtype == torch.long else y @ self.embed.weight.mT)
        return self.out(x).view(-1, self.channels, 4, 4).tanh()


def test_any_module_becomes_a_generator(rng):
    net = Net()
    generator = WrappedModule(net, 5)
    assert (generator.dim, generator.num_classes, generator.num_layers, generator.resolution) == (5, 0, 1, 4)
    z = generator.sample(3, rng)
    assert torch.equal(generator(spread(z, 1)), net(z))  # dropout is off
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_index_and_onehot_classes_agree(rng):
    index, onehot = (WrappedModule(Net(classes=3), 5, 3, kind) for kind in ("index", "onehot"))
    latents, classes = spread(index.sample(3, rng), 1), torch.tensor([2, 0, 1])
    assert torch.allclose(index(latents, classes), onehot(latents, classes), atol=1e-6)
    assert not torch.allclose(index(latents, classes), index(latents, classes.roll(1)), atol=1e-2)
    assert index.class_names == ("class 0", "class 1", "class 2")


def test_shapes_ranges_and_grey(rng):
    class Spatial(nn.Module):
        def forward(self, z):
            assert z.shape[1:] == (5, 1, 1)
            return z.sigmoid()[:, :1].expand(-1, 1, 4, 4)

    generator = WrappedModule(Spatial(), 5, latent_shape=(5, 1, 1), value_range=(0, 1))
    z = generator.sample(2, rng)
    images = generator(spread(z, 1))
    assert images.shape == (2, 3, 4, 4)
    assert torch.allclose(images[:, 1, 2, 3], 2 * z[:, 0].sigmoid() - 1)


def test_activations_are_submodules_and_the_rest_is_not_computed(rng):
    generator = WrappedModule(Net(), 5)
    assert "body" in generator.activation_names
    deeper = []
    generator.module.out.register_forward_hook(lambda *_: deeper.append(1))
    latents = spread(generator.sample(2, rng), 1)
    found = generator.activations(latents, None, ["body"])
    assert torch.equal(found["body"], generator.module.body(latents[:, 0]))
    assert not deeper
    both = generator.activations(latents, None, ["image", "body"])
    assert both.keys() == {"image", "body"}
    assert torch.equal(both["image"], generator(latents))


def test_a_module_that_does_not_fit_is_refused():
    for arguments, words in (((6,), "give `dim`"), ((5, 2, "words"), "class_input")):
        with pytest.raises(InputError, match=words):
            WrappedModule(Net(), *arguments)
    with pytest.raises(InputError, match="expected images"):
        WrappedModule(nn.Linear(5, 3), 5)
    with pytest.raises(InputError, match="2 class names for 3"):
        WrappedModule(Net(classes=3), 5, 3, class_names=("a", "b"))


@pytest.fixture
def module_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "users_gan.py").write_text(
        "from tests.test_wrapped import Net\n"
        "from direction_finder.generators import WrappedModule\n"
        "def plain(): return Net()\n"
        "def generator(): return WrappedModule(Net(), 5, name='mine')\n"
        "def other(): return 5\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("users_gan", None)


def test_python_factories(module_file):
    assert load_generator("python:users_gan:plain").dim == 5  # read off the first layer
    assert load_generator("python:users_gan:generator").name == "mine"
    for spec, options, words in (
        ("python:users_gan:missing", {}, "missing"),
        ("python:no_such_module_x:f", {}, "no_such_module_x"),
        ("python:users_gan:other", {}, "returned type int"),
        ("python:users_gan", {}, "package.module:factory"),
        ("python:users_gan:plain", {"dim": 9}, "give `dim`"),
        ("python:users_gan:generator", {"dim": 9}, "fixes its own"),
    ):
        with pytest.raises(InputError, match=words):
            load_generator(spec, **options)


@pytest.mark.parametrize("spec", ["stylegan", "dcgan:", "biggan-deep", "hf:", ""])
def test_an_unknown_spec_says_what_is_known(spec):
    with pytest.raises(InputError, match="eyes, biggan-deep-128"):
        load_generator(spec)


def test_options_that_do_not_apply_are_refused(dcgan_file):
    with pytest.raises(InputError, match="dim is read"):
        load_generator(f"dcgan:{dcgan_file}", dim=4)
    with pytest.raises(InputError, match="num_classes is read"):
        load_generator("eyes", num_classes=4)
    with pytest.raises(InputError, match="truncation"):
        load_generator("eyes", -1.0)


class Concatenated(nn.Module):
    """Takes z and a one-hot class side by side, and returns images among other things."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(7, 9), nn.Linear(9, 3 * 16)

    def forward(self, z, onehot):
        hidden = torch.relu(self.first(torch.cat([z, onehot], 1)))
        return {"image": torch.tanh(self.last(hidden)).view(-1, 3, 4, 4), "hidden": hidden[:, :, None, None]}


class ByKeyword(Concatenated):
    def forward(self, *, z, onehot):
        return super().forward(z, onehot)


def test_z_may_stand_beside_the_class_and_images_beside_other_outputs():
    generator = WrappedModule(Concatenated(), num_classes=2)
    assert generator.dim == 5 and "z has 5 dimensions" in generator.notes[-1] and generator.output == "image"
    with pytest.raises(InputError, match=r"size of z is not 7"):
        WrappedModule(Concatenated(), num_classes=3, dim=7)
    with pytest.raises(InputError, match="takes z, onehot by keyword only"):
        WrappedModule(ByKeyword(), num_classes=2)
