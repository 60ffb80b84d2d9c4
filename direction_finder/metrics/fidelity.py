"""Compare generated images with renders (rendered images) of the same family, factor by factor and as a whole."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from direction_finder.datasets import Dataset, Factor
from direction_finder.edits import spread
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.images import as_images
from direction_finder.metrics.factor_network import read_all
from direction_finder.metrics.features import lite0
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.metrics.reader import Reader
from direction_finder.progress import OnStep
from direction_finder.randomness import stream
from direction_finder.resumable import Cache, in_parts, prefixed, uncached

BATCH = 50
KINDS = ("generated", "renders", "other renders")


@dataclass(frozen=True)
class Fidelity:
    """Hold measures of how close generated images are to renders.

    asked: for each class, the fraction of its images in which the network reads this class. distances: for each factor,
    the Kolmogorov-Smirnov distance to renders; for circular factors Kuiper's, which does not depend on where the circle
    is cut (and is never smaller). frechet: the distance from the renders, of generated images and of other renders.
    """

    asked: dict[str, float]
    distances: dict[str, float]
    frechet: dict[str, float]
    samples: int


@dataclass(frozen=True)
class Looks:
    """Hold what networks see in images.

    factors: those that the factor network reads. rows: for each of `KINDS` (samples, factors + size): the factors that
    were read, and the features. asked (samples,): the class of each generated image, an index into the choices of
    the factor `label`.
    """

    factors: tuple[Factor, ...]
    label: str
    rows: dict[str, Tensor]
    asked: Tensor


@torch.no_grad()
def look(
    generator: Generator,
    network: Reader,
    renders: Dataset,
    others: Dataset,
    *,
    label: str = "class",
    samples: int | None = None,
    seed: int = 0,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> Looks:
    """Look at `samples` generated images, with all classes equally often, and at as many renders (default: all).

    renders: images that neither the generator nor the network was trained on. others: more such images, as a reference.
    label: the factor that is the generator's class. Raises InputError if the classes differ, or if there are fewer
    renders than samples.
    """
    samples = _checked(generator, network, renders, others, label, samples)
    z = generator.sample(samples, stream(seed, "fidelity"))
    classes = torch.arange(samples, device=z.device) % generator.num_classes
    features = lite0(generator.device)
    sets: tuple[Callable[[slice], Tensor], ...] = (
        lambda part: generator(spread(z[part], generator.num_layers), classes[part]),
        partial(_images, renders),
        partial(_images, others),
    )
    rows = {}
    for kind, read_images in zip(KINDS, sets, strict=True):

        def seen(number: int, read_images: Callable[[slice], Tensor] = read_images) -> Tensor:
            images = read_images(slice(number * BATCH, min((number + 1) * BATCH, samples))).to(generator.device)
            values = read_all(network, images)
            return torch.cat(
                [torch.stack([values[factor.name] for factor in network.factors], 1), features(images)], 1
            ).cpu()

        batches = math.ceil(samples / BATCH)
        rows[kind] = torch.cat(in_parts(batches, seen, kind, "batch", cache=prefixed(cache, kind), on_step=on_step))
    return Looks(network.factors, label, rows, classes.cpu())


def _checked(
    generator: Generator, network: Reader, renders: Dataset, others: Dataset, label: str, samples: int | None
) -> int:
    """Return the number of samples. Raises InputError if the classes differ, or if there are fewer renders."""
    choices = renders.factor(label).choices
    if choices != generator.class_names:
        raise InputError(
            f"{generator.name} has the classes {', '.join(generator.class_names)}, but {label} is one of "
            f"{', '.join(choices)}: give renders of the same classes"
        )
    if choices not in [factor.choices for factor in network.factors if factor.name == label]:
        raise InputError(
            f"the {network.title} does not read {label} as one of {', '.join(choices)}: give one that does"
        )
    samples = samples or min(len(renders), len(others))
    if samples > min(len(renders), len(others)):
        raise InputError(
            f"{samples} samples: there are only {len(renders)} and {len(others)} renders; set `samples` to at most "
            f"{min(len(renders), len(others))}"
        )
    return samples


def fidelity_of(looks: Looks) -> Fidelity:
    """Compare generated images with renders, from what networks see in them."""
    names = [factor.name for factor in looks.factors]
    read = {kind: dict(zip(names, rows.T, strict=False)) for kind, rows in looks.rows.items()}
    seen = {kind: rows[:, len(names) :] for kind, rows in looks.rows.items()}
    choices = looks.factors[names.index(looks.label)].choices
    hits = (read["generated"][looks.label] == looks.asked).double()
    return Fidelity(
        asked={name: hits[looks.asked == index].mean().item() for index, name in enumerate(choices)},
        distances={
            factor.name: distance(factor, read["generated"][factor.name], read["renders"][factor.name])
            for factor in looks.factors
            if not factor.choices
        },
        frechet={name: frechet_distance(seen[name], seen["renders"]) for name in ("generated", "other renders")},
        samples=len(looks.asked),
    )


def distance(factor: Factor, a: Tensor, b: Tensor) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples (n,) and (m,); for circular factors Kuiper's, D+ + D-."""
    x, y = np.sort(a.numpy()), np.sort(b.numpy())
    values = np.concatenate([x, y])
    gap = np.searchsorted(x, values, side="right") / len(x) - np.searchsorted(y, values, side="right") / len(y)
    above, below = max(gap.max(), 0.0), max(-gap.min(), 0.0)
    return float(above + below if factor.circular else max(above, below))


def _images(data: Dataset, part: slice) -> Tensor:
    return as_images(torch.from_numpy(data.images(range(part.start, part.stop))))
