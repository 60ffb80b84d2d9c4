"""What networks of users must keep to, found out when they are loaded; each refusal names its cure."""

import pytest
import torch
from torch import nn

from direction_finder import discovery
from direction_finder.errors import InputError
from direction_finder.generators import WrappedModule
from direction_finder.generators.contract import check
from direction_finder.randomness import stream
from tests.conftest import call
from tests.users_networks import (
    CLASSES,
    DIM,
    Noisy,
    OneHot,
    Places,
    Plain,
    Several,
    Shared,
    Spatial,
    Still,
    Uniform,
    Unit,
)


class BatchStatistics(Plain):
    def __init__(self, norm: nn.Module):
        super().__init__()
        self.norm = norm

    def start(self, z):
        x = super().start(z)
        return self.norm(x) if isinstance(self.norm, nn.BatchNorm2d) else self.norm(x.flatten(1)).view_as(x)


class Bytes(Plain):
    def forward(self, z):
        return ((super().forward(z) + 1) * 127.5).round().byte()


class Arrays(Plain):
    def forward(self, z):
        return super().forward(z).detach().numpy()


class Broken(Plain):
    def forward(self, z):
        return super().forward(z) / 0


class Dropped(Plain):
    def start(self, z):
        return nn.functional.dropout(super().start(z), training=True)


class Choosing(Plain):
    def start(self, z):
        return super().start(z) + torch.multinomial(torch.ones(len(z), 4), 1).view(-1, 1, 1, 1)


class Misplaced(Plain):
    """Noise whose first axis is neither the batch nor 1."""

    def start(self, z):
        return super().start(z) + torch.randn(2 * len(z), 8, 4, 4)[: len(z)]


class Picky(Plain):
    def forward(self, z):
        if z.shape[1] != DIM:
            raise ValueError(f"expected {DIM} numbers, got {z.shape[1]}")
        return super().forward(z)


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


class Other(Plain):
    """Returns what a function makes of the images."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, z):
        return self.change(super().forward(z))


def leave(_images):
    raise SystemExit(0)


def endless(_images):
    content = {}
    content["images"] = content
    return content


class Fewer(Plain):
    def forward(self, z):
        return super().forward(z)[:1]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: WrappedModule(Bytes()), "images of torch.uint8: expected floats"),
        (lambda: WrappedModule(Broken()), "NaN or infinite"),
        (lambda: WrappedModule(BatchStatistics(nn.BatchNorm2d(8, track_running_stats=False))), "batch statistics"),
        (lambda: WrappedModule(BatchStatistics(nn.BatchNorm1d(128, track_running_stats=False))), "one image alone"),
        (lambda: WrappedModule(Dropped()), "another image for the same z.*fixed_noise=True"),
        (lambda: WrappedModule(Noisy()), "another image for the same z.*fixed_noise=True"),
        (lambda: WrappedModule(Choosing(), fixed_noise=True), "multinomial, which fixed_noise cannot fix"),
        (lambda: WrappedModule(Misplaced(), fixed_noise=True), "fixed_noise needs a batch axis first"),
        (lambda: WrappedModule(Several(list)), r"list of 0: \(4, 3, 8, 8\), 1: \(4, 3, 16, 16\).*output=0"),
        (lambda: WrappedModule(Several(list), output=5), "expected images as output 5"),
        (lambda: WrappedModule(Fewer()), "1 images for 4 latents"),
        (lambda: WrappedModule(Other(leave)), "SystemExit: 0"),
        (lambda: WrappedModule(Other(endless)), "returns a dict of images: a dict of images: a dict"),
        (lambda: WrappedModule(Other(lambda x: x.to("meta"))), "no values .it is on the meta device"),
        (lambda: WrappedModule(Other(lambda x: x[..., :0])), r"returns \(4, 3, 16, 0\): expected images"),
        (lambda: WrappedModule(Other(lambda x: x[:1, :1, :1, :1].expand(4, 3, 1 << 20, 1 << 20))), "repeats a few"),
        (lambda: WrappedModule(5), "type int is not an nn.Module"),
        (lambda: WrappedModule(Plain(), 0), "settings of Plain: expected int >= 1, at dim"),
        (lambda: WrappedModule(Plain(), True), "expected int . null, got bool, at dim"),
        (lambda: WrappedModule(Plain(), 10**13), "expected int <= 1000000, at dim"),
        (lambda: WrappedModule(Plain(), num_classes=-1), "expected int >= 0, at num_classes"),
        (lambda: WrappedModule(Plain(), num_layers=0), "expected int >= 1, at num_layers"),
        (lambda: WrappedModule(Plain(), latent_shape=(-6,)), r"expected int >= 1, at latent_shape\[0\]"),
        (lambda: WrappedModule(Plain(), value_range=(1, 1)), "black and white must differ"),
        (lambda: WrappedModule(Plain(), truncation=float("nan")), "expected float > 0.0, at truncation"),
        (lambda: WrappedModule(nn.Linear(6, 3)), r"\(4, 3\): expected images"),
        (lambda: WrappedModule(OneHot()), "takes z, label: if 'label' is the class, give `num_classes`"),
        (lambda: WrappedModule(Plain(), DIM, 3), "takes z alone: leave out `num_classes`"),
        (lambda: WrappedModule(OneHot(), DIM + 1, CLASSES), "class numbers.*one-hot classes.*size of z is not 7"),
        (lambda: WrappedModule(Picky(), 7), r"ValueError: expected 6 numbers, got 7 \(.*test_contract.py:\d+\)"),
        (lambda: WrappedModule(Spatial(), 7), r"z of shape \(batch, 7, 1, 1\) or z of shape \(batch, 7\): .*dim"),
        (lambda: WrappedModule(Places()), r"z of shape \(batch, 6\): AssertionError.*wrap it in a module"),
        (lambda: WrappedModule(Arrays()), "returns a ndarray: expected a tensor of images"),
        (lambda: WrappedModule(nn.LazyLinear(3), DIM), "LazyLinear failed: ValueError: .*uninitialized parameter"),
        (lambda: WrappedModule(nn.Identity()), "size of z cannot be read from"),
        (lambda: WrappedModule(Plain(), sample=lambda n, rng: torch.rand(n, DIM)), "take all random numbers from it"),
        (lambda: WrappedModule(Plain(), sample=lambda n, rng: torch.ones(n, DIM)), "the same latents every time"),
        (lambda: WrappedModule(Plain(), sample=lambda n, rng: torch.ones(n)), r"latents of \(2,\): expected floats"),
        (lambda: WrappedModule(Plain(), sample=torch.rand, truncation=0.5), "give one of them"),
        (lambda: WrappedModule(Plain(), mapping=nn.Identity()), "cannot read the size of z from mapping"),
    ],
)  # fmt: skip
def test_what_breaks_the_rules_is_refused_with_its_cure(make, words):
    with pytest.raises(InputError, match=words) as refusal:
        make()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("make", [Plain, Spatial, lambda: Noisy(), lambda: Unit(255.0)])
def test_at_most_six_forwards(make):
    module = make()
    calls = []
    module.register_forward_pre_hook(lambda *_: calls.append(1))
    WrappedModule(module, fixed_noise=isinstance(module, Noisy))
    assert 0 < len(calls) <= 6


def test_what_was_chosen_is_said():
    assert WrappedModule(Plain()).notes == ()
    assert "0 (black) to 255 (white)" in WrappedModule(Unit(255.0)).notes[0]
    assert "0 (black) to 1 (white)" in WrappedModule(Unit()).notes[0]
    assert WrappedModule(Unit(), value_range=(0, 1)).notes == ()
    assert "not from -1 to 1" in WrappedModule(nn.Sequential(Plain(), Times(127))).notes[0]
    assert "float64 converted to float32" in WrappedModule(Plain().double()).notes[0]
    assert "output 0" in WrappedModule(Several(tuple)).notes[0]
    assert "(batch, 6, 1, 1)" in WrappedModule(Spatial()).notes[0]
    assert "one-hot" in WrappedModule(OneHot(), DIM, CLASSES).notes[0]


def test_a_generator_of_the_users_is_held_to_the_same():
    class Random(Uniform):
        def run(self, latents, classes, at, half=None):
            return {"image": super().run(latents, classes, at)["image"] + torch.randn(1)}

    assert check(Uniform())
    with pytest.raises(InputError, match="another image for the same z"):
        check(Random())


def test_fixed_noise_depends_neither_on_the_place_nor_on_the_batch(rng):
    generator = WrappedModule(Noisy(), fixed_noise=True)
    latents = generator.sample(9, rng)[:, None]
    before = torch.get_rng_state()
    together = generator(latents)
    for rows in ([0], [8, 0], [3, 4, 5, 0], [*range(8), 8, 8, 8, 0]):
        assert torch.allclose(generator(latents[rows])[-1], together[rows[-1]], atol=1e-6)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(generator(latents), together)
    assert not torch.allclose(together[:, :, :, 0], together[:, :, :, 1])


def test_channels_as_many_as_the_batch_are_no_batch_axis():
    class Channels(Plain):
        def start(self, z):
            return super().start(z) + torch.randn(8)[:, None, None]

    generator = WrappedModule(Channels(), fixed_noise=True)
    latents = generator.sample(8, stream(0, "z"))[:, None]
    assert torch.allclose(generator(latents)[:1], generator(latents[:1]), atol=1e-6)


def test_activations_outlive_layers_that_work_in_place(rng):
    layers = nn.Sequential(
        nn.ConvTranspose2d(8, 16, 4, bias=False), nn.BatchNorm2d(16), nn.ReLU(True), nn.ConvTranspose2d(16, 3, 4, 2, 1)
    )
    generator = WrappedModule(layers)
    latents = generator.sample(4, rng)[:, None]
    right = layers[1](layers[0](latents[:, 0, :, None, None]))
    assert right.min() < 0
    for at in (["1"], ["1", "image"], ["0", "1", "2", "image"]):
        assert torch.equal(generator.activations(latents, None, at)["1"], right)


def test_a_layer_called_twice_has_two_activations(rng):
    generator = WrappedModule(Shared())
    assert generator.activation_names == ("first", "act", "middle", "act#2", "last", "image")
    latents = generator.sample(2, rng)[:, None]
    found = generator.activations(latents, None, ["act", "act#2"])
    assert torch.equal(found["act"], generator.module.start(latents[:, 0]).relu())
    assert torch.equal(found["act#2"], generator.module.middle(found["act"]).relu())


def test_without_gradients_the_methods_that_need_none_work(tmp_path):
    generator = WrappedModule(Still())
    assert not generator.differentiable
    assert len(discovery.find(generator, points=4)) == DIM
    for method, settings in (("hessian-direct", {"points": 2}), ("hessian", {"steps": 1, "batch_size": 2})):
        with pytest.raises(InputError, match=r"lets no gradient through.*jacobian or a ranking without Hessians"):
            discovery.find(generator, method, **settings)
    run = tmp_path / "run"
    assert call("learn", "--generator", "python:tests.users_networks:still", "--points", 4, "--out", run).exit_code == 0
    ranked = call("rank", run, "--samples", 2, "--ranges", "none")
    assert ranked.exit_code == 0
    assert "ranked without Hessians" in ranked.stderr
    measured = call("measure", run, "--metric", "share", "--samples", 2)
    assert measured.exit_code == 2
    assert "lets no gradient through" in measured.stderr


def test_a_forward_that_fails_later_is_one_line():
    class Small(Plain):
        def forward(self, z):
            if len(z) > 4:
                raise KeyError("too many")
            return super().forward(z)

    with pytest.raises(InputError, match="Small failed: KeyError: 'too many'"):
        WrappedModule(Small())(torch.zeros(5, 1, DIM))


def test_a_class_without_a_name_is_not_called_class_twice(tmp_path):
    spec = "python:tests.users_networks:one_hot"
    result = call("learn", "--generator", spec, "--class", 3, "--points", 2, "--out", tmp_path / "run")
    assert result.exit_code == 0
    assert "OneHot, class 3\n" in result.stderr
