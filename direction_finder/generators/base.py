"""What every frozen generator answers."""

import abc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, nn

from direction_finder.errors import InputError
from direction_finder.randomness import normal
from direction_finder.settings import IMAGE, SPACES

Stages = Iterator[tuple[str, Tensor]]


class Half(NamedTuple):
    """Where half precision begins: stages from `first` on compute products in `dtype`; all before it, and the last,
    in float32."""

    dtype: torch.dtype
    first: str


class Outline(NamedTuple):
    """What directions need to know of a generator, also where it is not at hand; see `Generator`."""

    name: str | None
    dim: int
    num_layers: int = 1
    class_names: tuple[str, ...] = ()
    chunk: int | None = None
    weights_sha256: str | None = None
    scale: float = 1.0

    @property
    def spaces(self) -> dict[str, dict[str, tuple[int, int]]]:
        """Parts of the latents to search, by name, as settings: first and last dimension of z, or layer.

        "all", and "coarse", "mid" and "fine": thirds of the chunks of z or, where z feeds three layers or more, of the
        layers.
        """
        if self.chunk:
            return {"all": {}, **_thirds("dims", self.dim // self.chunk, self.chunk)}
        return {"all": {}, **_thirds("layers", self.num_layers)}


def _thirds(what: str, count: int, size: int = 1) -> dict[str, dict[str, tuple[int, int]]]:
    """`count` parts of `size` each in thirds; nothing if there are fewer than three."""
    if count < 3:
        return {}
    ends = [size * round(third * count / 3) for third in range(4)]
    return {name: {what: (ends[i], ends[i + 1] - 1)} for i, name in enumerate(SPACES[1:])}


class Generator(nn.Module, abc.ABC):
    """A frozen generator: latents (batch, layers, dim) and classes (batch,) in, images (batch, 3, H, W) out.

    Images are nominally in [-1, 1] and never clamped. Frozen: always in eval mode, no parameter requires a gradient;
    gradients reach the latents only.

    name: how the user calls it. dim: size of z. num_layers: how many layers z feeds.
    num_classes: 0 if unconditional. class_names: one per class. resolution: height of the images.
    weights_sha256: of the sorted state dict as loaded. truncation: fixed at load; None: z ~ N(0, I).
    scale: the root mean square over dimensions of the latents' standard deviation; 1 for N(0, I), also truncated.
    differentiable: whether gradients reach the latents. notes: what was assumed when it was loaded, in words.
    chunk: how many dimensions of z each part of the network reads, where z is split; None: it is not.
    normalises: whether the length of z is divided away before anything else.
    activation_names: what `activations` can be asked for, in order of depth; the last is "image".
    stage_names: those of them that are computed one after the other, so that half precision may begin there.
    """

    name: str
    dim: int
    num_layers: int = 1
    num_classes: int = 0
    class_names: tuple[str, ...] = ()
    resolution: int
    weights_sha256: str
    truncation: float | None = None
    scale: float = 1.0
    differentiable: bool = True
    notes: tuple[str, ...] = ()
    chunk: int | None = None
    normalises: bool = False
    activation_names: tuple[str, ...]
    stage_names: tuple[str, ...] = (IMAGE,)

    @abc.abstractmethod
    def run(
        self, latents: Tensor, classes: Tensor | None, at: frozenset[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        """Compute the named tensors, no deeper than the deepest of them; they are float32 also if `half` is not."""

    def forward(self, latents: Tensor, classes: Tensor | None = None) -> Tensor:
        """Images (batch, 3, H, W) of latents (batch, layers, dim) and class numbers (batch,); None if unconditional."""
        self._check(latents, classes)
        return self.run(latents, classes, frozenset([IMAGE]))[IMAGE]

    def activations(
        self, latents: Tensor, classes: Tensor | None, at: Iterable[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        """The tensors named in `at` (see `activation_names`), computed no deeper than asked, in float32."""
        self._check(latents, classes)
        self.check_activations(at)
        return self.run(latents, classes, frozenset(at), half)

    def collect(self, stages: Stages, at: frozenset[str], half: Half | None) -> dict[str, Tensor]:
        """Pull named tensors out of a forward that computes a stage when asked for it, as deep as needed."""
        found: dict[str, Tensor] = {}
        first = self.stage_names.index(half.first) if half else len(self.stage_names)
        for number, name in enumerate(self.stage_names):
            halved = first <= number and name != IMAGE
            with torch.autocast(self.device.type, half.dtype) if halved else nullcontext():
                _, tensor = next(stages)
            if name in at:
                found[name] = tensor.float() if half else tensor
            if len(found) == len(at):
                break
        return found

    def check_activations(self, at: Iterable[str]) -> None:
        """Raise InputError if `at` names something that this generator does not have."""
        for name in at:
            if name not in self.activation_names:
                raise InputError(f"{self.name} has no activation {name!r}; it has {', '.join(self.activation_names)}")

    def check_differentiable(self, what: str) -> None:
        """Raise InputError if gradients do not reach the latents, which `what` needs."""
        if not self.differentiable:
            raise InputError(
                f"{self.name} lets no gradient through (torch.no_grad or detach in its forward?): {what} needs "
                "gradients; the method jacobian and a ranking without Hessians (0 `hessians`) do not"
            )

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """n latents z (n, dim): N(0, I), or truncation times a normal cut to [-2, 2]. Drawn on the CPU, then moved."""
        if self.truncation is None:
            z = normal(n, self.dim, rng)
        else:
            z = nn.init.trunc_normal_(torch.empty(n, self.dim), a=-2, b=2, generator=rng) * self.truncation
        return z.to(self.device)

    @property
    def outline(self) -> Outline:
        told = (self.name, self.dim, self.num_layers, self.class_names, self.chunk, self.weights_sha256, self.scale)
        return Outline(*told)

    @property
    def device(self) -> torch.device:
        """Where the weights are; the CPU if there are none."""
        tensor = next(chain(self.parameters(), self.buffers()), None)
        return torch.device("cpu") if tensor is None else tensor.device

    def freeze(self) -> "Generator":
        """Eval mode, no gradients for weights."""
        return self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> "Generator":
        """Stay in eval mode whatever is asked: a frozen generator has no other."""
        return super().train(False)

    def _check(self, latents: Tensor, classes: Tensor | None) -> None:
        if latents.ndim != 3 or latents.shape[1:] != (self.num_layers, self.dim):
            raise InputError(
                f"{self.name}: latents have shape {tuple(latents.shape)}, "
                f"expected (batch, {self.num_layers}, {self.dim}); edits.spread gives z the layer axis"
            )
        if self.num_classes and (classes is None or classes.shape != latents.shape[:1]):
            got = None if classes is None else tuple(classes.shape)
            raise InputError(f"{self.name} is class-conditional: classes have shape {got}, expected ({len(latents)},)")


def as_rgb(images: Tensor) -> Tensor:
    """Grey images (batch, 1, H, W) get three equal channels, and a fourth channel, alpha, is dropped."""
    if images.ndim != 4 or images.shape[1] not in (1, 3, 4):
        raise InputError(f"the network gives {tuple(images.shape)}: expected images (batch, 1, 3 or 4, H, W)")
    return images[:, :3].expand(-1, 3, -1, -1)


def class_phrase(name: str) -> str:
    """Return "class cube" for cube, and "class 3" for a class without a name, which is called that already."""
    return name if name.startswith("class ") else f"class {name}"


def class_labels(num_classes: int, names: Sequence[str] = ()) -> tuple[str, ...]:
    """The names given, or "class 0", "class 1", ... Raises InputError when their number is wrong."""
    if names and len(names) != num_classes:
        raise InputError(f"{len(names)} class names for {num_classes} classes")
    return tuple(names) or tuple(f"class {index}" for index in range(num_classes))
