"""Common code of all methods: the space that is searched, the strengths of directions, and the result."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from copy import copy
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from direction_finder import torchrun
from direction_finder.class_names import class_text
from direction_finder.directions import Directions, Finding
from direction_finder.discovery.configs import ScoredConfig, SearchConfig, TunedConfig
from direction_finder.generators import Generator
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import normal, stream
from direction_finder.version import package_version

PROBED = 2.0  # a direction's score is measured at the coordinates -2, 0 and 2


class SearchSpace:
    """The part of a generator's latents that is searched: dimensions of z, layers, and one class or any."""

    def __init__(self, generator: Generator, config: SearchConfig):
        self.generator = generator
        self.first, last = config.dims or (0, generator.dim - 1)
        self.size = last - self.first + 1
        top, bottom = config.layers or (0, generator.num_layers - 1)
        self.layers = None if config.layers is None else tuple(range(top, bottom + 1))
        self.mask = torch.zeros(generator.num_layers, 1, device=generator.device)
        self.mask[top : bottom + 1] = 1
        self.class_numbers = config.class_numbers
        self.half = config.half if isinstance(config, TunedConfig) else None

    def classes(self, n: int, rng: torch.Generator) -> Tensor:
        """Return class numbers (n,): the chosen class, random ones (of the chosen ones), or zeros without classes."""
        if len(self.class_numbers) == 1:
            classes = torch.full((n,), self.class_numbers[0])
        elif self.class_numbers:
            classes = torch.tensor(self.class_numbers)[torch.randint(len(self.class_numbers), (n,), generator=rng)]
        elif self.generator.num_classes:
            classes = torch.randint(self.generator.num_classes, (n,), generator=rng)
        else:
            classes = torch.zeros(n, dtype=torch.long)
        return classes.to(self.generator.device)

    def at_point(self, number: int, held_out: int) -> "SearchSpace":
        """Return the space for one of the points of a direct method: with one of the chosen classes, in turn.

        held_out: every so many points, one is held out; the turn is such that these are of all classes too.
        """
        count = len(self.class_numbers)
        if count < 2:
            return self
        space = copy(self)
        space.class_numbers = (self.class_numbers[(number + number // math.lcm(count, held_out)) % count],)
        return space

    def embed(self, rows: Tensor) -> Tensor:
        """Return vectors of the searched dimensions (..., size) as vectors of z (..., dim), with zeros elsewhere."""
        return pad(rows, (self.first, self.generator.dim - self.first - self.size))

    def searched(self, vectors: Tensor) -> Tensor:
        """Return the searched dimensions (..., size) of vectors of z (..., dim)."""
        return vectors[..., self.first : self.first + self.size]

    def latents(self, z: Tensor, shift: Tensor) -> Tensor:
        """Return latents (batch, layers, dim): z (batch, dim), moved by shift (batch, size) in the chosen layers.

        A shift is in units of the generator's scale. All derivatives are taken with respect to shifts, so that epsilon
        and eta mean the same for latents of every scale.
        """
        return z.unsqueeze(1) + self.mask * (self.generator.scale * self.embed(shift)).unsqueeze(1)

    def outputs(self, at: tuple[str, ...], shift: Tensor, z: Tensor, classes: Tensor) -> list[Tensor]:
        """Return the image or activations named in `at`, in that order, for z moved by shift (see `latents`)."""
        activations = self.generator.activations(self.latents(z, shift), classes, at, self.half)
        return [activations[name] for name in at]

    def flat_output(self, at: tuple[str, ...]) -> Callable[..., Tensor]:
        """Return a function (x, z, classes) -> the outputs of G(z + x) named in `at`, flattened and concatenated."""
        return lambda x, z, classes: torch.cat([out.flatten(1) for out in self.outputs(at, x, z, classes)], dim=1)

    def draw_point(self, eta: float, rng: torch.Generator) -> tuple[Tensor, list[Tensor]]:
        """Draw a point (size,) in the searched dimensions, and what it is added to: z (1, dim) and its class (1,).

        The point lies along a random direction, at a distance drawn from U[-eta, eta].
        """
        z = self.generator.sample(1, rng)
        classes = self.classes(1, rng)
        direction = torch.nn.functional.normalize(normal(1, self.size, rng), dim=1)[0]
        distance = (2 * torch.rand((), generator=rng) - 1) * eta
        return (distance * direction).to(z), [z, classes]


def slices(total: int, size: int) -> Iterator[slice]:
    """Yield consecutive slices that cover range(total), each of at most `size`."""
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


@torch.no_grad()
def strengths(space: SearchSpace, rows: Tensor, config: ScoredConfig, on_step: OnStep | None) -> Tensor | None:
    """Measure how much each direction changes the image: rows (num, size) -> strengths (num,).

    A strength is the variance of each pixel over z - 2 q, z and z + 2 q, averaged over pixels and `score_samples`
    latents: the paper's activeness (Sec. 4.2) for a direction instead of a coordinate. Returns None if `score_samples`
    is 0, or if `on_step` stops the measurement.
    """
    if not config.score_samples:
        return None
    rows = rows.to(space.generator.device)
    rng = stream(config.seed, "scoring")
    z = space.generator.sample(config.score_samples, rng)
    classes = space.classes(len(z), rng)
    pairs = [(sample, row) for row in range(len(rows)) for sample in range(len(z))]
    totals = torch.zeros(len(rows), dtype=torch.float64)
    render = space.generator.forward
    zero_shift = torch.zeros(1, space.size, device=z.device)
    centres = torch.cat([render(space.latents(z[i : i + 1], zero_shift), classes[i : i + 1]) for i in range(len(z))])

    def measured(part: slice) -> tuple[list[int], Tensor, int]:
        sample, row = (list(numbers) for numbers in zip(*pairs[part], strict=True))
        shift = PROBED * rows[row]
        latents = torch.cat([space.latents(z[sample], -shift), space.latents(z[sample], shift)])
        low, high = render(latents, classes[sample].repeat(2)).chunk(2)
        variance = torch.stack([low, centres[sample], high]).var(0).flatten(1).mean(1)
        return row, variance.double().cpu(), part.stop

    stopped = False
    for row, variance, done in torchrun.shared([*slices(len(pairs), config.max_batch // 2)], measured):
        totals.index_add_(0, torch.tensor(row), variance)
        if on_step:
            progress = Progress(done, len(pairs), phase="scoring", unit="image")
            on_step(progress)
            stopped = progress.stopped
        if torchrun.agreed(stopped):
            return None
    return totals / len(z)


def finish(
    space: SearchSpace,
    rows: Tensor,
    config: SearchConfig,
    method: str,
    *,
    scores: Tensor | None,
    orthonormal: bool = True,
    name: Callable[[int], str] | None = None,
    share: dict[str, float] | None = None,
    reason: str = "nothing to learn",
) -> Directions:
    """Return unit rows (num, size) as `Directions`: strongest first, at most `num_directions`.

    Without scores, return all of them in their order.
    """
    order = list(range(len(rows))) if scores is None else scores.argsort(descending=True, stable=True).tolist()
    chosen = order[: config.num_directions] if scores is not None else order
    generator = space.generator
    return Directions(
        vectors=space.embed(rows)[chosen].detach().float(),
        method=method,
        config=plain(config),
        generator=generator.name,
        weights_sha256=generator.weights_sha256,
        class_index=config.class_numbers[0] if len(config.class_numbers) == 1 else None,
        class_name=class_text(generator.class_names, config.class_numbers),
        seed=config.seed,
        orthonormal=orthonormal,
        layers=(space.layers,) * len(chosen),
        names=tuple(name(i) if name else None for i in chosen),
        scores=tuple(None if scores is None else float(scores[i]) for i in chosen),
        share=share,
        scale=generator.scale,
        space=generator.space,
        groups=generator.outline.groups,
        package_version=package_version(),
        finding=Finding(reason),
    )


def plain(config: SearchConfig) -> dict[str, Any]:
    """Return a configuration as JSON stores it (tuples as lists), so that it equals what is read back from a file."""
    values = dataclasses.asdict(config)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
