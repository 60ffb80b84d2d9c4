"""What every frozen generator answers."""

import abc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from direction_finder.class_names import resolve_class
from direction_finder.edits import spread
from direction_finder.errors import InputError
from direction_finder.randomness import normal, stream
from direction_finder.samples import Samples
from direction_finder.settings import IMAGE, SPACES

Stages = Iterator[tuple[str, Tensor]]


class Half(NamedTuple):
    """Where half precision begins: stages from `first` on compute products in `dtype`; all before it, and the last,
    in float32."""

    dtype: torch.dtype
    first: str


class Source(NamedTuple):
    """How a generator was named to `load_generator`: what gives it again. untold: see `Untold`."""

    spec: str
    truncation: float | None
    untold: dict[str, Any]


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

    def part(self, space: str | None) -> dict[str, tuple[int, int]]:
        """The `dims` or `layers` that a space's name stands for. Raises InputError if there is no such space."""
        if space is None:
            return {}
        if space not in self.spaces:
            raise InputError(
                f"space {space!r}: {self.name} has {', '.join(self.spaces)}; `dims` and `layers` take numbers"
            )
        return self.spaces[space]


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
    source: how it was loaded; None: it was made in Python.
    chunk: how many dimensions of z each part of the network reads, where z is split; None: it is not.
    space: what its latents are: "z", or "w" behind a mapping.
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
    source: Source | None = None
    chunk: int | None = None
    space: str = "z"
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
            halved = half if first <= number and name != IMAGE else None
            with torch.autocast(self.device.type, halved.dtype) if halved else nullcontext():
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

    def samples(
        self, n: int, *, seed: int = 0, class_name: str | int | None = None, purpose: str = "pictures"
    ) -> Samples:
        """n samples: latents (n, layers, dim) and their classes (n,), zeros for an unconditional generator.

        class_name: a name, part of one, or a number; None: random classes. purpose: names the stream of random numbers.

        >>> samples = generator.samples(6, seed=0, class_name="cube")

        Raises InputError for a class that there is not.
        """
        index = self.class_index(class_name)
        rng = stream(seed, purpose)
        latents = spread(self.sample(n, rng), self.num_layers)
        if index is None:
            classes = torch.randint(max(1, self.num_classes), (n,), generator=rng)
        else:
            classes = torch.full((n,), index)
        return Samples(latents, classes.to(latents.device), self.space)

    def accept(self, samples: Samples, class_name: str | int | None = None) -> Samples:
        """Return samples that somebody kept, as this generator takes them: on its device, a latent for every layer.

        class_name: the class to draw them as (None: that which they have). Raises InputError if they do not fit.
        """
        n, layers, dim = samples.latents.shape
        if dim != self.dim or layers not in (1, self.num_layers) or samples.space not in (None, self.space):
            raise InputError(
                f"samples of {samples.space or 'latents'} (n, {layers}, {dim}): {self.name} takes {self.space} "
                f"(n, {self.num_layers}, {self.dim})"
            )
        index = self.class_index(class_name)
        classes = samples.classes if index is None else torch.full((n,), index)
        if classes is None and self.num_classes:
            raise InputError(f"the samples have no class, and {self.name} has {self.num_classes}: name one")
        classes = torch.zeros(n, dtype=torch.long) if classes is None else classes.long()
        if self.num_classes and not 0 <= int(classes.min()) <= int(classes.max()) < self.num_classes:
            raise InputError(f"classes {sorted(set(classes.tolist()))}: {self.name} has 0 to {self.num_classes - 1}")
        latents = samples.latents.expand(-1, self.num_layers, -1)
        return Samples(latents.to(self.device), classes.to(self.device), self.space)

    def class_index(self, class_name: str | int | None) -> int | None:
        """The number of the class with this name, part of a name, or number; None for none."""
        return None if class_name is None else resolve_class(self.class_names, str(class_name))

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
