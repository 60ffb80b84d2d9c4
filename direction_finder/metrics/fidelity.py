"""Are generated pictures what they should be? Against renders of the same family, factor by factor and as a whole."""

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
from direction_finder.metrics.factor_network import FactorNetwork, read_all
from direction_finder.metrics.features import lite0
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.metrics.parts import Keep, anew, in_parts, under
from direction_finder.pictures import as_images
from direction_finder.progress import OnStep
from direction_finder.randomness import stream

BATCH = 50


@dataclass(frozen=True)
class Fidelity:
    """asked: for each class the part of pictures that are read as the class asked for. distances: for each factor the
    Kolmogorov-Smirnov distance to renders, of circular ones Kuiper's, which does not depend on where the circle is cut
    (and is never smaller). frechet: of generated pictures against renders, and of other renders against these.
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
    keep: Keep = anew,
    on_step: OnStep | None = None,
) -> Fidelity:
    """Compare `samples` generated pictures, classes in equal parts, with as many renders (by default all there are).

    renders: pictures that neither generator nor network was trained on. others: more of them, for comparison. Raises
    InputError if the classes are not the same, or there are fewer renders than samples.
    """
    choices = renders.factor(label).choices
    if choices != generator.class_names:
        raise InputError(f"{generator.name} draws {', '.join(generator.class_names)}; {label} is {', '.join(choices)}")
    samples = samples or min(len(renders), len(others))
    if samples > min(len(renders), len(others)):
        raise InputError(f"{samples} samples: there are {len(renders)} and {len(others)} renders")
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
    for kind, pictures in sets.items():

        def look(number: int, pictures: Callable[[slice], Tensor] = pictures) -> Tensor:
            images = pictures(slice(number * BATCH, min((number + 1) * BATCH, samples))).to(generator.device)
            values = read_all(network, images)
            return torch.cat([torch.stack([values[name] for name in names], 1), features(images)], 1).cpu()

        batches = math.ceil(samples / BATCH)
        rows = torch.cat(in_parts(batches, look, kind, "batch", keep=under(keep, kind), on_step=on_step))
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
    """The Kolmogorov-Smirnov distance of two samples; on the circle Kuiper's (1960), D+ + D-."""
    x, y = np.sort(a.numpy()), np.sort(b.numpy())
    at = np.concatenate([x, y])
    gap = np.searchsorted(x, at, side="right") / len(x) - np.searchsorted(y, at, side="right") / len(y)
    above, below = max(gap.max(), 0.0), max(-gap.min(), 0.0)
    return float(above + below if factor.circular else max(above, below))


def _images(data: Dataset, part: slice) -> Tensor:
    return as_images(torch.from_numpy(data.images(range(part.start, part.stop))))
