"""How far a direction can be followed before pictures are no longer such as random z give.

Activations of all stages, their means and spreads over positions, are standardised by those of random z; the drift of a
picture is their root mean square, the mean over stages. The usable range is the extent at which the mean drift at both
ends of a move is as large as the one that only one random picture in twenty exceeds.
"""

from dataclasses import replace

import torch
from torch import Tensor

from direction_finder import edits
from direction_finder.directions import Direction
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.metrics.samples import DEFAULT, Sampling
from direction_finder.progress import OnStep, Progress, Reporting, reporting

EXCEEDED = 0.95  # of random pictures have less drift than the threshold
FARTHEST = 32.0
CLOSE = 0.02  # of the threshold: how near to it the drift at the range must be
TRIES = 30


class Drift:
    """Drift of pictures of one class (None: random classes), from `samples` random ones."""

    @torch.no_grad()
    def __init__(
        self,
        generator: Generator,
        sampling: Sampling = DEFAULT,
        *,
        samples: int = 256,
        followed: int = 16,
        on_step: OnStep | None = None,
    ):
        self.generator, self.max_batch = generator, sampling.max_batch
        latents, classes = replace(sampling, given=None).draw(generator, samples)
        self.stages = generator.activation_names
        found = self._features(latents, classes, on_step)
        varying = [number for number, rows in enumerate(found) if _varies(rows)]
        if not varying:
            raise InputError(f"{generator.name}: every z gives the same picture")
        self.stages = tuple(self.stages[number] for number in varying)
        found = [found[number] for number in varying]
        self.centre = [rows.mean(0) for rows in found]
        self.width = [rows.std(0).clamp_min(1e-6 * rows.std(0).max()) for rows in found]
        drifts = self._of(found)
        self.threshold, self.usual = drifts.quantile(EXCEEDED).item(), drifts.mean().item()
        if sampling.given is not None:
            latents, classes = sampling.draw(generator, followed)
        self.latents, self.classes = latents[:followed], classes[:followed]

    def along(self, direction: Direction, extent: float) -> float:
        """The mean drift after moves of -extent and of extent."""
        ends = [edits.move(self.latents, direction, step) for step in (-extent, extent)]
        return self._of(self._features(torch.cat(ends), self.classes.repeat(2))).mean().item()

    def usable_range(self, direction: Direction) -> float | None:
        """The extent at which the drift reaches the threshold; None if it does not within 32."""
        (low, at_low), high = (0.0, self.along(direction, 0.0)), 2.0
        while (at_high := self.along(direction, high)) < self.threshold:
            (low, at_low), high = (high, at_high), 2 * high
            if low >= FARTHEST:
                return None
        for _ in range(TRIES):
            part = (self.threshold - at_low) / (at_high - at_low)
            middle = (low**2 + part * (high**2 - low**2)) ** 0.5  # drift grows with the square of the extent
            drift = self.along(direction, middle)
            if abs(drift - self.threshold) <= CLOSE * self.threshold:
                break
            if drift < self.threshold:
                low, at_low = middle, drift
            else:
                high, at_high = middle, drift
        return middle

    @torch.no_grad()
    def _features(self, latents: Tensor, classes: Tensor, on_step: OnStep | None = None) -> list[Tensor]:
        """Of every stage: (n, features)."""
        parts = []
        for z, of in zip(latents.split(self.max_batch), classes.split(self.max_batch), strict=True):
            found = self.generator.activations(z, of, self.stages)
            parts.append([_pooled(found[name]) for name in self.stages])
            if on_step:
                on_step(
                    Progress(
                        sum(len(part[0]) for part in parts), len(latents), "drawing random pictures", unit="picture"
                    )
                )
        return [torch.cat(rows) for rows in zip(*parts, strict=True)]

    def _of(self, features: list[Tensor]) -> Tensor:
        """The drift of each picture: (n,)."""
        stages = [
            ((rows - centre) / width).square().mean(1).sqrt()
            for rows, centre, width in zip(features, self.centre, self.width, strict=True)
        ]
        return torch.stack(stages).mean(0).double().cpu()


def usable_range(
    generator: Generator,
    direction: Direction,
    *,
    class_name: str | int | None = None,
    samples: int = 256,
    seed: int = 0,
    max_batch: int = 32,
    progress: Reporting = None,
) -> float | None:
    """Return how far a direction can be followed, both ways; None if pictures stay usual up to 32.

    class_name: whose pictures (None: of random classes). samples: random pictures that say what is usual. progress:
    True for a bar, or a callable that is given each `Progress`. For several directions make one `Drift`.

    >>> reach = df.usable_range(generator, directions["x"], class_name="cube")
    """
    sampling = Sampling(generator.class_index(class_name), seed, max_batch)
    with reporting(progress) as on_step:
        return Drift(generator, sampling, samples=samples, on_step=on_step).usable_range(direction)


def _pooled(activation: Tensor) -> Tensor:
    """Return mean and spread of each channel over positions, (n, 2 channels); a vector (n, channels) as it is."""
    if activation.ndim < 3:
        return activation.flatten(1)
    flat = activation.flatten(2)
    return torch.cat([flat.mean(2), flat.std(2, correction=0)], dim=1)


def _varies(rows: Tensor) -> bool:
    """Return whether features (n, features) of a stage depend on z, and are finite."""
    return bool(torch.isfinite(rows).all()) and bool(rows.std(0).max() > 0)
