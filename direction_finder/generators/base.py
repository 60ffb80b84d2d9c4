"""Define the interface of every frozen generator."""

import abc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from direction_finder.class_names import resolve_class
from direction_finder.directions import Directions, Probe
from direction_finder.edits import spread
from direction_finder.errors import InputError
from direction_finder.generators.outline import Outline
from direction_finder.randomness import normal, stream
from direction_finder.samples import Samples
from direction_finder.settings import IMAGE, MOST_ROWS, MOST_SEED, check_number

PROBED = 16  # pixels of a probe's image
Stages = Iterator[tuple[str, Tensor]]


class Half(NamedTuple):
    """Say where half precision begins: stages from `first` on compute products in `dtype`; all stages before it, and
    the last one, compute in float32."""

    dtype: torch.dtype
    first: str


class Source(NamedTuple):
    """Record how a generator was named to `load_generator`, so that it can be loaded again. untold: see `Untold`."""

    spec: str
    truncation: float | None
    untold: dict[str, Any]


class Generator(nn.Module, abc.ABC):
    """Map latents (batch, layers, dim) and classes (batch,) to images (batch, 3, H, W) with a frozen network.

    Images are nominally in [-1, 1] and never clamped. A frozen generator is always in eval mode, and no parameter
    requires a gradient; gradients reach the latents only.

    name: the name that the user gives it. dim: size of z. num_layers: how many layers z feeds.
    num_classes: 0 if unconditional. class_names: one per class. resolution: height of the images in pixels.
    weights_sha256: hash of the sorted state dict as loaded. truncation: fixed when loaded; None: z ~ N(0, I).
    scale: the root mean square over dimensions of the latents' standard deviation; 1 for N(0, I), even if truncated.
    differentiable: whether gradients reach the latents. notes: what was assumed when it was loaded, in words.
    source: how it was loaded; None if it was made in Python.
    chunk: how many dimensions of z each part of the network reads, if z is split; None if it is not.
    space: the space of its latents: "z", or "w" behind a mapping network.
    normalises: whether the network first divides z by its length.
    activation_names: the names that `activations` accepts, in order of depth; the last is "image".
    stage_names: those of them that are computed one after the other, so that half precision can begin there.
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
        """Return the tensors named in `at`, computing no deeper than needed; they are always float32."""

    def reads(self) -> dict[str, Tensor]:
        """Return the weights (out, dim) that multiply latents, by the name of their layer; empty if not known.

        The layers are in order of depth. What else they read, e.g. the class, is left out.
        """
        return {}

    def forward(self, latents: Tensor | Samples, classes: Tensor | None = None) -> Tensor:
        """Return images (batch, 3, H, W) of samples, or of latents (batch, layers, dim) and classes (batch,) or None.

        >>> images = generator(generator.samples(4, class_name="cube"))
        """
        if isinstance(latents, Samples):
            classes, latents = latents.class_numbers, latents.latents
        self._check(latents, classes)
        return self.run(latents, classes, frozenset([IMAGE]))[IMAGE]

    def activations(
        self, latents: Tensor, classes: Tensor | None, at: Iterable[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        """Return the tensors named in `at` (see `activation_names`) in float32, computing no deeper than needed."""
        self._check(latents, classes)
        self.check_activations(at)
        return self.run(latents, classes, frozenset(at), half)

    def collect(self, stages: Stages, at: frozenset[str], half: Half | None) -> dict[str, Tensor]:
        """Return the tensors named in `at` from the stages of a forward pass, computing only the stages needed."""
        tensors: dict[str, Tensor] = {}
        first = self.stage_names.index(half.first) if half else len(self.stage_names)
        for number, name in enumerate(self.stage_names):
            halved = half if first <= number and name != IMAGE else None
            with torch.autocast(self.device.type, halved.dtype) if halved else nullcontext():
                _, tensor = next(stages)
            if name in at:
                tensors[name] = tensor.float() if half else tensor
            if len(tensors) == len(at):
                break
        return tensors

    def check_activations(self, at: Iterable[str]) -> None:
        """Raise InputError if `at` names an activation that this generator does not have."""
        for name in at:
            if name not in self.activation_names:
                raise InputError(f"{self.name} has no activation {name!r}; it has {', '.join(self.activation_names)}")

    def check_differentiable(self, what: str) -> None:
        """Raise InputError if gradients do not reach the latents; `what` names the computation that needs them."""
        if not self.differentiable:
            raise InputError(
                f"{self.name} lets no gradient through (torch.no_grad or detach in its forward?), but {what} needs "
                "gradients; use the method jacobian or a ranking without Hessians (`hessians` 0), which need none"
            )

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw n latents z (n, dim): N(0, I), or a normal cut to [-2, 2] times `truncation`.

        They are drawn on the CPU and then moved to the generator's device.
        """
        if self.truncation is None:
            z = normal(n, self.dim, rng)
        else:
            z = nn.init.trunc_normal_(torch.empty(n, self.dim), a=-2, b=2, generator=rng) * self.truncation
        return z.to(self.device)

    def samples(
        self, n: int, *, seed: int = 0, class_name: str | int | None = None, purpose: str = "pictures"
    ) -> Samples:
        """Draw n samples: latents (n, layers, dim) and their classes (n,), zeros for an unconditional generator.

        class_name: a name, part of a name, or a number; None: random classes. purpose: the name of the random stream.

        >>> samples = generator.samples(6, seed=0, class_name="cube")

        Raises InputError if there is no such class, or if n or seed cannot be meant.
        """
        check_number("the number of samples", n, int, least=1, most=MOST_ROWS)
        check_number("seed", seed, int, least=0, most=MOST_SEED)
        index = self.class_index(class_name)
        rng = stream(seed, purpose)
        latents = spread(self.sample(n, rng), self.num_layers)
        if index is None:
            classes = torch.randint(max(1, self.num_classes), (n,), generator=rng)
        else:
            classes = torch.full((n,), index)
        return Samples(latents, classes.to(latents.device), self.space)

    def accept(self, samples: Samples, class_name: str | int | None = None) -> Samples:
        """Return saved samples as this generator takes them: on its device, with a latent for every layer.

        class_name: the class to render them as (None: the class that they have). Raises InputError if they do not fit.
        """
        n, layers, dim = samples.latents.shape
        if dim != self.dim or layers not in (1, self.num_layers) or samples.space not in (None, self.space):
            raise InputError(
                f"samples of {samples.space or 'latents'} (n, {layers}, {dim}) do not fit: {self.name} takes "
                f"{self.space} (n, {self.num_layers}, {self.dim})"
            )
        index = self.class_index(class_name)
        classes = samples.classes if index is None else torch.full((n,), index)
        if classes is None and self.num_classes:
            raise InputError(f"the samples have no class, but {self.name} has {self.num_classes} classes: name one")
        classes = torch.zeros(n, dtype=torch.long) if classes is None else classes.long()
        if self.num_classes and not 0 <= int(classes.min()) <= int(classes.max()) < self.num_classes:
            numbers = sorted(set(classes.tolist()))
            raise InputError(f"classes {numbers} do not fit: {self.name} has classes 0 to {self.num_classes - 1}")
        latents = samples.latents.expand(-1, self.num_layers, -1)
        return Samples(latents.to(self.device), classes.to(self.device), self.space)

    def fitted(self, directions: Directions) -> Directions:
        """Return directions as this generator takes them: those of no generator get the scale of its latents.

        Raises InputError if they were found in another generator, or cannot act on this one.
        """
        directions.check_fits(
            name=self.name,
            dim=self.dim,
            num_layers=self.num_layers,
            weights_sha256=self.weights_sha256,
            space=self.space,
            num_classes=self.num_classes,
        )
        return replace(directions, scale=self.scale) if directions.weights_sha256 is None else directions

    @torch.no_grad()
    def probe(self, class_index: int | None = None) -> Probe:
        """Return a fixed sample of a class (None: class 0) and its image, averaged over areas to (3, 16, 16)."""
        sample = self.samples(1, purpose="probe").with_classes([class_index or 0])
        chosen = int(sample.class_numbers[0]) if self.num_classes else None
        return Probe(sample.latents[0].cpu(), chosen, self._averaged(sample.latents, sample.class_numbers))

    @torch.no_grad()
    def deviation(self, probe: Probe) -> float:
        """Return how far this generator's image of a probe is from the one kept: the largest difference, of 2."""
        if (probe.class_index or 0) >= max(1, self.num_classes):
            raise InputError(f"the probe is of class {probe.class_index}; {self.name} has {self.num_classes} classes")
        classes = torch.tensor([probe.class_index or 0], device=self.device)
        return float((self._averaged(probe.latents[None].to(self.device), classes) - probe.image).abs().max())

    def _averaged(self, latents: Tensor, class_numbers: Tensor) -> Tensor:
        return adaptive_avg_pool2d(self(latents, class_numbers)[0].float(), PROBED).cpu()

    def class_index(self, class_name: str | int | None) -> int | None:
        """Return the number of the class with this name, part of a name, or number; None if no class is given."""
        return None if class_name is None else resolve_class(self.class_names, str(class_name))

    @property
    def outline(self) -> Outline:
        """Return what directions need to know about this generator."""
        return Outline(
            self.name,
            self.dim,
            self.num_layers,
            self.class_names,
            self.chunk,
            self.weights_sha256,
            self.scale,
            self.space,
        )

    @property
    def device(self) -> torch.device:
        """Return the device of the weights; the CPU if there are no weights."""
        tensor = next(chain(self.parameters(), self.buffers()), None)
        return torch.device("cpu") if tensor is None else tensor.device

    def freeze(self) -> "Generator":
        """Switch to eval mode and turn off gradients of the weights; return the generator itself."""
        return self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> "Generator":
        """Stay in eval mode, whatever `mode` is, because the generator is frozen; return the generator itself."""
        return super().train(False)

    def _check(self, latents: Tensor, classes: Tensor | None) -> None:
        if latents.ndim != 3 or latents.shape[1:] != (self.num_layers, self.dim):
            raise InputError(
                f"{self.name}: latents have shape {tuple(latents.shape)}, "
                f"expected (batch, {self.num_layers}, {self.dim}); edits.spread adds the layer axis to z"
            )
        if self.num_classes and (classes is None or classes.shape != latents.shape[:1]):
            got = None if classes is None else tuple(classes.shape)
            raise InputError(f"{self.name} is class-conditional: classes have shape {got}, expected ({len(latents)},)")


def as_rgb(images: Tensor) -> Tensor:
    """Return images (batch, 3, H, W): a grey channel is repeated three times, and a fourth channel, alpha, is dropped.

    Raises InputError unless `images` are (batch, 1, 3 or 4, H, W).
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3, 4):
        raise InputError(f"the network returns {tuple(images.shape)}: expected images (batch, 1, 3 or 4, H, W)")
    return images[:, :3].expand(-1, 3, -1, -1)


def class_phrase(name: str) -> str:
    """Return "class cube" for cube; the name of an unnamed class, "class 3", is returned unchanged."""
    return name if name.startswith("class ") else f"class {name}"


def class_labels(num_classes: int, names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return `names`, or "class 0", "class 1", ... if there are none. Raises InputError if their number is wrong."""
    if names and len(names) != num_classes:
        raise InputError(f"{len(names)} class names for {num_classes} classes: give one per class")
    return tuple(names) or tuple(f"class {index}" for index in range(num_classes))
