"""What every method shares: where it searches, what it is configured by, and how its result is put together."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from direction_finder.directions import Directions, Finding
from direction_finder.discovery.configs import ScoredConfig, SearchConfig, TunedConfig
from direction_finder.generators import Generator
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import normal, stream
from direction_finder.version import package_version

PROBED = 2.0  # a direction's score is measured at the coordinates -2, 0 and 2


class SearchSpace:
    """The part of a generator's latents that directions live in: some dimensions, some layers, one class or any."""

    def __init__(self, generator: Generator, config: SearchConfig):
        self.generator = generator
        self.first, last = config.dims or (0, generator.dim - 1)
        self.size = last - self.first + 1
        top, bottom = config.layers or (0, generator.num_layers - 1)
        self.layers = None if config.layers is None else tuple(range(top, bottom + 1))
        self.mask = torch.zeros(generator.num_layers, 1, device=generator.device)
        self.mask[top : bottom + 1] = 1
        self.class_index = config.class_index
        self.half = config.half if isinstance(config, TunedConfig) else None

    def classes(self, n: int, rng: torch.Generator) -> Tensor:
        """Class numbers (n,): the chosen class, random ones, or zeros if the generator has none."""
        if self.class_index is not None:
            classes = torch.full((n,), self.class_index)
        elif self.generator.num_classes:
            classes = torch.randint(self.generator.num_classes, (n,), generator=rng)
        else:
            classes = torch.zeros(n, dtype=torch.long)
        return classes.to(self.generator.device)

    def embed(self, rows: Tensor) -> Tensor:
        """Vectors of the searched dimensions (..., size) as vectors of z (..., dim)."""
        return pad(rows, (self.first, self.generator.dim - self.first - self.size))

    def latents(self, z: Tensor, shift: Tensor) -> Tensor:
        """Return z (batch, dim) moved by shift (batch, size) in the layers acted on: (batch, layers, dim).

        A shift is in units of the generator's scale. Everything that is derived is derived for shifts, so that epsilon
        and eta mean the same for latents of every scale.
        """
        return z.unsqueeze(1) + self.mask * (self.generator.scale * self.embed(shift)).unsqueeze(1)

    def outputs(self, at: tuple[str, ...], shift: Tensor, z: Tensor, classes: Tensor) -> list[Tensor]:
        """The image or activations named in `at`, in that order, of z moved by shift."""
        found = self.generator.activations(self.latents(z, shift), classes, at, self.half)
        return [found[name] for name in at]

    def flat_output(self, at: tuple[str, ...]) -> Callable[..., Tensor]:
        """The function (x, z, classes) -> outputs named in `at` of G(z + x), flattened side by side."""
        return lambda x, z, classes: torch.cat([out.flatten(1) for out in self.outputs(at, x, z, classes)], dim=1)

    def draw_point(self, eta: float, rng: torch.Generator) -> tuple[Tensor, list[Tensor]]:
        """A point in the searched dimensions (size,), and what it is added to: z (1, dim) and its class (1,).

        It lies along a random direction, at a distance drawn from U[-eta, eta].
        """
        z = self.generator.sample(1, rng)
        classes = self.classes(1, rng)
        direction = torch.nn.functional.normalize(normal(1, self.size, rng), dim=1)[0]
        distance = (2 * torch.rand((), generator=rng) - 1) * eta
        return (distance * direction).to(z), [z, classes]


def slices(total: int, size: int) -> Iterator[slice]:
    """Consecutive slices that cover range(total), each of at most `size`."""
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


@torch.no_grad()
def strengths(space: SearchSpace, rows: Tensor, config: ScoredConfig, on_step: OnStep | None) -> Tensor | None:
    """How much each direction changes the picture: rows (num, size) -> (num,); None if not asked for, or stopped.

    The variance of each pixel over z - 2 q, z and z + 2 q, averaged over pixels and `score_samples` latents: the
    paper's activeness (Sec. 4.2), for a direction in place of a coordinate.
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
    still = torch.zeros(1, space.size, device=z.device)
    centres = torch.cat([render(space.latents(z[i : i + 1], still), classes[i : i + 1]) for i in range(len(z))])
    for part in slices(len(pairs), config.max_batch // 2):
        sample, row = (list(numbers) for numbers in zip(*pairs[part], strict=True))
        shift = PROBED * rows[row]
        latents = torch.cat([space.latents(z[sample], -shift), space.latents(z[sample], shift)])
        low, high = render(latents, classes[sample].repeat(2)).chunk(2)
        variance = torch.stack([low, centres[sample], high]).var(0).flatten(1).mean(1)
        totals.index_add_(0, torch.tensor(row), variance.double().cpu())
        if on_step:
            progress = Progress(part.stop, len(pairs), phase="scoring", unit="picture")
            on_step(progress)
            if progress.stopped:
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
    """Directions of unit rows (num, size): strongest first, cut to `num_directions`; without scores all, in order."""
    order = list(range(len(rows))) if scores is None else scores.argsort(descending=True, stable=True).tolist()
    kept = order[: config.num_directions] if scores is not None else order
    generator = space.generator
    return Directions(
        vectors=space.embed(rows)[kept].detach().float(),
        method=method,
        config=plain(config),
        generator=generator.name,
        weights_sha256=generator.weights_sha256,
        class_index=config.class_index,
        class_name=None if config.class_index is None else generator.class_names[config.class_index],
        seed=config.seed,
        orthonormal=orthonormal,
        layers=(space.layers,) * len(kept),
        names=tuple(name(i) if name else None for i in kept),
        scores=tuple(None if scores is None else float(scores[i]) for i in kept),
        share=share,
        scale=generator.scale,
        package_version=package_version(),
        finding=Finding(reason),
    )


def plain(config: SearchConfig) -> dict[str, Any]:
    """A configuration as JSON holds it (tuples are lists), so that a record equals what is read back from its file."""
    values = dataclasses.asdict(config)
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
