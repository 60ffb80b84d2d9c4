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
from direction_finder.metrics.factor_network import FactorNetwork, read_all
from direction_finder.metrics.features import lite0
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.metrics.resumable import Cache, in_parts, prefixed, uncached
from direction_finder.progress import OnStep
from direction_finder.randomness import stream

BATCH = 50


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


@torch.no_grad()
def fidelity(
    generator: Generator,
    network: FactorNetwork,
    renders: Dataset,
    others: Dataset,
    *,
    label: str = "class",
    samples: int | None = None,
    seed: int = 0,
    cache: Cache = uncached,
    on_step: OnStep | None = None,
) -> Fidelity:
    """Compare `samples` generated images, with all classes equally often, with as many renders (default: all).

    renders: images that neither the generator nor the network was trained on. others: more such images, as a reference.
    label: the factor that is the generator's class. Raises InputError if the classes differ, or if there are fewer
    renders than samples.
    """
    choices = renders.factor(label).choices
    if choices != generator.class_names:
        raise InputError(
            f"{generator.name} has the classes {', '.join(generator.class_names)}, but {label} is one of "
            f"{', '.join(choices)}: give renders of the same classes"
        )
    samples = samples or min(len(renders), len(others))
    if samples > min(len(renders), len(others)):
        raise InputError(
            f"{samples} samples: there are only {len(renders)} and {len(others)} renders; set `samples` to at most "
            f"{min(len(renders), len(others))}"
        )
    z = generator.sample(samples, stream(seed, "fidelity"))
    classes = torch.arange(samples, device=z.device) % generator.num_classes
    features = lite0(generator.device)
    sets: dict[str, Callable[[slice], Tensor]] = {
        "generated": lambda part: generator(spread(z[part], generator.num_layers), classes[part]),
        "renders": partial(_images, renders),
        "other renders": partial(_images, others),
    }
    names = [factor.name for factor in network.factors]
    read, seen = {}, {}
    for kind, read_images in sets.items():

        def look(number: int, read_images: Callable[[slice], Tensor] = read_images) -> Tensor:
            images = read_images(slice(number * BATCH, min((number + 1) * BATCH, samples))).to(generator.device)
            values = read_all(network, images)
            return torch.cat([torch.stack([values[name] for name in names], 1), features(images)], 1).cpu()

        batches = math.ceil(samples / BATCH)
        rows = torch.cat(in_parts(batches, look, kind, "batch", cache=prefixed(cache, kind), on_step=on_step))
        read[kind] = dict(zip(names, rows.T, strict=False))
        seen[kind] = rows[:, len(names) :]
    hits = (read["generated"][label] == classes.cpu()).double()
    return Fidelity(
        asked={name: hits[classes.cpu() == index].mean().item() for index, name in enumerate(choices)},
        distances={
            factor.name: distance(factor, read["generated"][factor.name], read["renders"][factor.name])
            for factor in network.factors
            if not factor.choices
        },
        frechet={name: frechet_distance(seen[name], seen["renders"]) for name in ("generated", "other renders")},
        samples=samples,
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
