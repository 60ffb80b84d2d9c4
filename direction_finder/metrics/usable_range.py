"""Measure how far a direction can be followed before images leave the normal range.

The means and spreads over positions of the activations of all stages are standardised by those of random z. The drift
of an image is their root mean square, averaged over stages. The usable range is the extent at which the mean drift at
both ends of a move reaches the threshold, which only one random image in twenty exceeds.
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

EXCEEDED = 0.95  # fraction of random images whose drift is below the threshold
FARTHEST = 32.0
CLOSE = 0.02  # largest difference between the drift at the range and the threshold, as a fraction of the threshold
TRIES = 30


class Drift:
    """Measures the drift of images along directions, relative to `samples` random images.

    sampling: its class is that of the images (None: random classes). followed: how many latents are moved.
    Raises InputError if all images of the generator are the same.
    """

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
        features = self._features(latents, classes, on_step)
        varying = [number for number, rows in enumerate(features) if _varies(rows)]
        if not varying:
            raise InputError(f"{generator.name}: every z gives the same image; check its weights")
        self.stages = tuple(self.stages[number] for number in varying)
        features = [features[number] for number in varying]
        self.centre = [rows.mean(0) for rows in features]
        self.width = [rows.std(0).clamp_min(1e-6 * rows.std(0).max()) for rows in features]
        drifts = self._of(features)
        self.threshold, self.usual = drifts.quantile(EXCEEDED).item(), drifts.mean().item()
        if sampling.given is not None:
            latents, classes = sampling.draw(generator, followed)
        self.latents, self.classes = latents[:followed], classes[:followed]

    def along(self, direction: Direction, extent: float) -> float:
        """Return the mean drift after moves of -extent and of extent along a direction."""
        ends = [edits.move(self.latents, direction, step) for step in (-extent, extent)]
        return self._of(self._features(torch.cat(ends), self.classes.repeat(2))).mean().item()

    def usable_range(self, direction: Direction) -> float | None:
        """Return the extent at which the drift reaches the threshold, or None if it does not up to 32."""
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
        """Return the features of every stage: (n, features) each."""
        parts = []
        for z, labels in zip(latents.split(self.max_batch), classes.split(self.max_batch), strict=True):
            activations = self.generator.activations(z, labels, self.stages)
            parts.append([_pooled(activations[name]) for name in self.stages])
            if on_step:
                on_step(Progress(sum(len(part[0]) for part in parts), len(latents), "random images", unit="image"))
        return [torch.cat(rows) for rows in zip(*parts, strict=True)]

    def _of(self, features: list[Tensor]) -> Tensor:
        """Return the drift of each image, from its features: (n,)."""
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
    """Return how far a direction can be followed in both ways, or None if images stay in the normal range up to 32.

    class_name: the class of the images (None: random classes). samples: number of random images that define the normal
    range. progress: True for a bar, or a callable that receives each `Progress`. Use one `Drift` for several
    directions.

    >>> reach = df.usable_range(generator, directions["x"], class_name="cube")
    """
    sampling = Sampling(generator.class_index(class_name), seed, max_batch)
    with reporting(progress) as on_step:
        return Drift(generator, sampling, samples=samples, on_step=on_step).usable_range(direction)


def _pooled(activation: Tensor) -> Tensor:
    """Return the mean and spread of each channel over positions (n, 2 channels); a vector (n, channels) unchanged."""
    if activation.ndim < 3:
        return activation.flatten(1)
    flat = activation.flatten(2)
    return torch.cat([flat.mean(2), flat.std(2, correction=0)], dim=1)


def _varies(rows: Tensor) -> bool:
    """Return whether features (n, features) of a stage depend on z, and are finite."""
    return bool(torch.isfinite(rows).all()) and bool(rows.std(0).max() > 0)
