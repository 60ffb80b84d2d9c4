"""Networks as users have them, each with its plain twin: one that makes the same images in the plainest way.

`KINDS` maps the name of a factory in this file to that of its twin. z has 6 numbers, images are 16x16.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from direction_finder.generators import WrappedModule
from direction_finder.generators.base import IMAGE, Generator
from direction_finder.randomness import stream

DIM, CLASSES, DEVIATION = 6, 4, 0.014


@contextmanager
def seeded() -> Iterator[None]:
    """Draw the same weights every time."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        yield


class Plain(nn.Module):
    """A linear layer, a reshape, and two transposed convolutions."""

    def __init__(self, inputs: int = DIM):
        super().__init__()
        with seeded():
            self.first = nn.Linear(inputs, 8 * 16)
            self.middle, self.last = nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.ConvTranspose2d(8, 3, 4, 2, 1)

    def start(self, z: Tensor) -> Tensor:
        return self.first(z).view(-1, 8, 4, 4)

    def image(self, x: Tensor) -> Tensor:
        return (8 * self.last(self.middle(x.relu()).relu())).tanh()

    def forward(self, z: Tensor) -> Tensor:
        return self.image(self.start(z))


class Blocks(Plain):
    """Blocks in a ModuleList, which is never called, nor is the critic that lies beside it."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([self.middle, self.last])
        with seeded():
            self.critic = nn.Linear(3, 3)

    def forward(self, z):
        x = self.start(z)
        for block in self.blocks:
            x = block(x.relu())
        return (8 * x).tanh()


class Pair(nn.Module):
    def __init__(self, inner: nn.Module, made_of: type):
        super().__init__()
        self.inner, self.made_of = inner, made_of

    def forward(self, x):
        x = self.inner(x.relu())
        return {"x": x, "skip": None} if self.made_of is dict else self.made_of((x, None))


class Pairs(Plain):
    """Blocks that give tuples, or dicts."""

    def __init__(self, made_of: type = tuple):
        super().__init__()
        self.pairs = nn.ModuleList([Pair(self.middle, made_of), Pair(self.last, made_of)])

    def forward(self, z):
        x = self.start(z)
        for pair in self.pairs:
            given = pair(x)
            x = given["x"] if isinstance(given, dict) else given[0]
        return (8 * x).tanh()


class Shared(Plain):
    """One activation that is called twice, and works in place."""

    def __init__(self):
        super().__init__()
        self.act = nn.ReLU(inplace=True)

    def forward(self, z):
        return self.last(self.act(self.middle(self.act(self.start(z))))).mul_(8).tanh_()


class Hooked(Plain):
    """Hooks of its own: one collects, one gives another output back."""

    def __init__(self):
        super().__init__()
        self.kept = []
        self.middle.register_forward_hook(lambda _module, _inputs, output: self.kept.append(output.shape))
        self.middle.register_forward_hook(lambda _module, _inputs, output: output.relu())

    def forward(self, z):
        return (8 * self.last(self.middle(self.start(z).relu()))).tanh()


class Changing(Plain):
    """Changes the z it is given."""

    def forward(self, z):
        return super().forward(z.mul_(2) / 2)


class Grey(Plain):
    def forward(self, z):
        return super().forward(z)[:, :1]


class GreyTwin(Plain):
    def forward(self, z):
        return super().forward(z)[:, :1].repeat(1, 3, 1, 1)


class GreyFlat(Plain):
    def forward(self, z):
        return super().forward(z)[:, 0]


class Rgba(Plain):
    def forward(self, z):
        images = super().forward(z)
        return torch.cat([images, -torch.ones_like(images[:, :1])], 1)


class Wide(Plain):
    def forward(self, z):
        return super().forward(z)[:, :, 4:12]


class Spatial(Plain):
    """A convolution first: z is (batch, 6, 1, 1)."""

    def __init__(self):
        super().__init__()
        first = nn.ConvTranspose2d(DIM, 8, 4)
        with torch.no_grad():
            first.weight.copy_(self.first.weight.mT.view(DIM, 8, 4, 4))
            first.bias.zero_()
        self.register_buffer("bias", self.first.bias.detach().view(8, 4, 4))
        self.first = first

    def start(self, z):
        assert z.shape[1:] == (DIM, 1, 1)
        return self.first(z) + self.bias


class Places(Plain):
    """z is (batch, 3, 2, 1)."""

    def forward(self, z):
        assert z.shape[1:] == (3, 2, 1)
        return super().forward(z.flatten(1))


class Styled(Plain):
    """Takes w of deviation 0.014."""

    def forward(self, w):
        return super().forward(w / DEVIATION)


class Noisy(Plain):
    """Noise drawn in the forward, in three ways."""

    def start(self, z):
        x = super().start(z)
        x = x + 0.3 * torch.randn(len(z), 1, 4, 4) + 0.3 * torch.rand_like(x)
        return x + 0.3 * x.new_empty(len(z), 1, 4, 4).normal_(0, 1)


class NoisyTwin(Plain):
    def start(self, z):
        drawn = [stream(0, f"noise {number} {shape}") for number, shape in enumerate(((1, 4, 4), (8, 4, 4), (1, 4, 4)))]
        noise = torch.randn(1, 4, 4, generator=drawn[0]) + torch.rand(8, 4, 4, generator=drawn[1])
        return super().start(z) + 0.3 * (noise + torch.randn(1, 4, 4, generator=drawn[2]))


class Several(Plain):
    def __init__(self, made_of: type):
        super().__init__()
        self.made_of = made_of

    def forward(self, z):
        images = super().forward(z)
        if self.made_of is dict:
            return {"logits": images.mean((2, 3)), "image": images}
        return self.made_of((images[:, :, ::2, ::2], images)) if self.made_of is list else (images, None)


class Unit(Plain):
    def __init__(self, high: float = 1.0):
        super().__init__()
        self.high = high

    def forward(self, z):
        return (super().forward(z) + 1) / 2 * self.high


class Still(Plain):
    """A forward made for sampling."""

    @torch.no_grad()
    def forward(self, z):
        return super().forward(z)


class Guarded(Plain):
    """Catches whatever its layers raise."""

    def forward(self, z):
        try:
            return super().forward(z)
        except Exception:
            return None


class Stateful(Plain):
    """Keeps something that is no tensor in its state dict."""

    def get_extra_state(self):
        return {"version": 3}


class Normed(Plain):
    """Batch norm whose statistics were kept, handed over in training mode."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(8, eps=0.0, affine=False)

    def start(self, z):
        return self.norm(super().start(z))


class OneHot(Plain):
    def __init__(self):
        super().__init__(DIM + CLASSES)

    def forward(self, z, label):
        return super().forward(torch.cat([z, label], 1))


class Numbered(OneHot):
    def __init__(self):
        super().__init__()
        self.classes = nn.Embedding.from_pretrained(torch.eye(CLASSES))

    def forward(self, z, number):
        return super().forward(z, self.classes(number))


class Uniform(Generator):
    """The twin of a network with uniform z: a generator of its own, in full."""

    def __init__(self):
        super().__init__()
        self.network = Plain()
        self.name, self.dim, self.resolution, self.weights_sha256 = "uniform", DIM, 16, "0" * 64
        self.activation_names, self.scale = (IMAGE,), measured(uniform)
        self.freeze()

    def run(self, latents, classes, at, half=None):
        return {IMAGE: self.network(latents[:, 0])}

    def sample(self, n, rng):
        return uniform(n, rng)


def uniform(n, rng):
    return 2 * torch.rand(n, DIM, generator=rng) - 1


def measured(draw) -> float:
    latents = draw(4096, stream(0, "scale")).double()
    return float(f"{latents.std(0).square().mean().sqrt():.4g}")


def scaling() -> nn.Module:
    mapping = nn.Linear(DIM, DIM, bias=False)
    nn.init.eye_(mapping.weight).data.mul_(DEVIATION)
    return mapping


def spectral(network: Plain, norm) -> Plain:
    """A norm in front of the last layer whose power iteration has converged."""
    with seeded():
        for layer in (network.middle, network.last):
            norm(layer, n_power_iterations=50)
    network.train()
    with torch.no_grad():
        network(torch.randn(2, DIM, generator=torch.Generator().manual_seed(0)))
    return network.eval()


def rounded() -> Plain:
    return Plain().bfloat16().float()


plain, blocks, shared, hooked, changing = Plain, Blocks, Shared, Hooked, Changing
grey, grey_twin, grey_flat, rgba, wide, spatial, still = Grey, GreyTwin, GreyFlat, Rgba, Wide, Spatial, Still
guarded, stateful, normed, unit, styled_twin, noisy_twin, uniform_twin = (
    Guarded,
    Stateful,
    Normed,
    Unit,
    Plain,
    NoisyTwin,
    Uniform,
)


def sequential():
    network = Plain()
    return nn.Sequential(
        network.first, nn.Unflatten(1, (8, 4, 4)), nn.ReLU(True), network.middle, nn.ReLU(), network.last, Eightfold()
    )  # fmt: skip


class Eightfold(nn.Module):
    def forward(self, x):
        return (8 * x).tanh()


def tuples():
    return Pairs()


def dicts():
    return Pairs(dict)


def places():
    return WrappedModule(Places(), latent_shape=(3, 2, 1))


def uniform_z():
    return WrappedModule(Plain(), sample=uniform)


def styled():
    return WrappedModule(Styled(), mapping=scaling())


def noisy():
    return WrappedModule(Noisy(), fixed_noise=True)


def double():
    return Plain().double()


def half():
    return Plain().bfloat16()


def one_of_list():
    return WrappedModule(Several(list), output=1)


def first_of_tuple():
    return Several(tuple)


def one_of_dict():
    return Several(dict)


@dataclass
class Sample:
    """What libraries of diffusion models give."""

    images: Tensor


class Recorded(Plain):
    def forward(self, z):
        return Sample(super().forward(z))


recorded = Recorded


def compiled():
    return torch.compile(Plain(), backend="eager")


def bytes_range():
    return Unit(255.0)


def one_hot():
    return WrappedModule(OneHot(), DIM, CLASSES)


def numbered():
    return WrappedModule(Numbered(), DIM, CLASSES)


def vectors():
    return WrappedModule(OneHot(), DIM, CLASSES, "vector", class_vectors=torch.eye(CLASSES))


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and in use
        return WrappedModule(torch.jit.script(Plain()), DIM)


def spectral_new():
    return spectral(Plain(), nn.utils.parametrizations.spectral_norm)


def spectral_folded():
    network = spectral_new()
    for layer in (network.middle, network.last):
        nn.utils.parametrize.remove_parametrizations(layer, "weight")
    return network


PLAIN = """
plain sequential blocks tuples dicts shared hooked changing stateful guarded normed scripted compiled rgba spatial
places styled double one_of_list first_of_tuple one_of_dict recorded unit bytes_range still
"""
KINDS = dict.fromkeys(PLAIN.split(), "plain") | {
    "grey": "grey_twin",
    "grey_flat": "grey_twin",
    "wide": "wide",
    "uniform_z": "uniform_twin",
    "noisy": "noisy_twin",
    "half": "rounded",
    "one_hot": "numbered",
    "vectors": "numbered",
    "spectral_new": "spectral_folded",
}
