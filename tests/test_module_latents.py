"""Latents that are not N(0, I): one number, their scale, makes the defaults mean the same for them."""

import json

import pytest
import torch
from safetensors import safe_open
from torch import nn

from direction_finder import discovery
from direction_finder.directions import Directions
from direction_finder.edits import move
from direction_finder.errors import InputError
from direction_finder.files import METADATA_KEY
from direction_finder.generators import WrappedModule, load_generator
from direction_finder.generators.module_latents import mapped, measured_scale
from direction_finder.metrics.usable_range import Drift
from direction_finder.randomness import stream
from tests.conftest import call
from tests.planted import Planted
from tests.users_networks import DIM, Plain, scaling, uniform

SIZE, DEVIATION = 24, 0.014


class Synthesis(Planted):
    """Images of w of deviation 0.014, as a style network's: along its planted directions they change ever less."""

    def __init__(self):
        super().__init__(SIZE, 0)
        mixing = torch.linalg.qr(torch.randn(48, SIZE, generator=torch.Generator().manual_seed(1)))[0].mT
        self.mixing.copy_(3 * mixing * 0.8 ** torch.arange(SIZE)[:, None])

    def forward(self, w):
        return ((w / DEVIATION @ self.rows.mT).asinh() @ self.mixing).view(-1, 3, 4, 4).tanh()


def style() -> WrappedModule:
    """A network of styles: z -> w of deviation 0.014, neither normal nor centred, -> images."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        mapping = nn.Sequential(nn.Linear(SIZE, 64), nn.LeakyReLU(0.2), nn.Linear(64, SIZE))
        with torch.no_grad():
            w = mapping(torch.randn(4096, SIZE))
            mapping[2].weight.mul_(DEVIATION / w.std(0).square().mean().sqrt())
            mapping[2].bias.mul_(DEVIATION)
    return WrappedModule(Synthesis(), mapping=mapping)


def test_the_defaults_find_rank_and_render_directions_in_w(tmp_path):
    run, spec = tmp_path / "run", "python:tests.test_module_latents:style"
    assert call("learn", "--generator", spec, "--out", run).exit_code == 0
    found = Directions.load(run)
    assert found.share["share"] >= 3 * found.share["random_share"]
    assert found.scale == pytest.approx(DEVIATION, rel=0.02)
    assert call("rank", run, "--samples", 4, "--hessians", 4, "--most", 4).exit_code == 0
    listed = json.loads((run / "rank.json").read_text())["short_list"]
    ranked, generator = Directions.load(run), load_generator(spec)
    drift, latents = Drift(generator), generator.sample(8, stream(5, "z"))[:, None]
    for index in listed:  # as far as render goes by default, images stay usual
        assert 1 < ranked.ranges[index] < 32  # deviations
        assert drift.along(ranked[index], ranked.ranges[index]) < 1.05 * drift.threshold
    for index in (0, 1):
        ends = [
            generator(move(latents, ranked[index], amount)) for amount in (-ranked.ranges[index], ranked.ranges[index])
        ]
        assert (ends[1] - ends[0]).abs().mean() > 0.1 * 2
    assert call("render", "grid", run, "--samples", 2).exit_code == 0


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("jacobian", {"points": 4, "at": ("image",)}),
        ("mean-field", {"points": 4}),
        ("local-basis", {}),
        ("hessian-direct", {"points": 2}),
        ("hessian", {"steps": 3, "batch_size": 4}),
        ("orojar", {"steps": 3}),
    ],
)
def test_every_method_finds_in_small_latents_what_it_finds_in_plain_ones(method, settings):
    small = WrappedModule(Scaled(), mapping=scaling())
    small.scale = DEVIATION  # it is measured to a percent
    ours, theirs = (discovery.find(generator, method, **settings) for generator in (small, WrappedModule(Plain())))
    assert torch.allclose(ours.vectors, theirs.vectors, atol=1e-3)
    assert torch.allclose(torch.tensor(ours.scores), torch.tensor(theirs.scores), rtol=1e-3)


class Scaled(Plain):
    def forward(self, w):
        return super().forward(w / DEVIATION)


def test_the_file_holds_the_scale(tmp_path):
    for generator, scale in ((WrappedModule(Plain()), 1.0), (WrappedModule(Plain(), sample=uniform), 0.58)):
        discovery.find(generator, "random").save(tmp_path / "d.safetensors")
        with safe_open(tmp_path / "d.safetensors", framework="pt") as file:
            metadata = json.loads(file.metadata()[METADATA_KEY])
        assert metadata["scale"] == pytest.approx(scale, rel=0.02)
        assert Directions.load(tmp_path / "d.safetensors").scale == generator.scale


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), "0.5", None])
def test_a_file_with_another_scale_is_refused(scale):
    with pytest.raises(InputError, match="scale"):
        Directions(torch.eye(3), "random", scale=scale)


def test_a_scale_is_measured_and_near_1_is_1():
    def normal(n, rng):
        return torch.randn(n, DIM, generator=rng)

    assert measured_scale(normal) == 1
    assert measured_scale(lambda n, rng: 3 * normal(n, rng) + 5) == pytest.approx(3, rel=0.02)
    assert WrappedModule(Plain(), truncation=0.5).scale == 1


def test_a_mapping_may_repeat_w_for_every_layer_and_nothing_else():
    class Repeated(nn.Module):
        def __init__(self, other):
            super().__init__()
            self.inner, self.other = scaling(), other

        def forward(self, z):
            return torch.stack([self.inner(z), self.other * self.inner(z)], 1)

    rng = stream(0, "z")
    assert mapped(Repeated(1.0))(3, rng).shape == (3, DIM)
    with pytest.raises(InputError, match="different latents for each layer"):
        mapped(Repeated(2.0))(3, rng)


def test_a_network_may_take_a_latent_for_every_layer(rng):
    class Layered(Plain):
        def forward(self, w):
            return super().forward(w.sum(1))

    generator = WrappedModule(Layered(), num_layers=3)
    latents = generator.sample(2, rng)[:, None].expand(-1, 3, -1)
    assert torch.equal(generator(latents), generator.module(latents))
    assert discovery.find(generator, points=2, layers=(1, 2))[0].layers == (1, 2)
