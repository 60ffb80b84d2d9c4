"""What `measure` is asked for, which every measure takes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from direction_finder.commands.recorder import Bars
from direction_finder.datasets import Pictures
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.metrics import factors
from direction_finder.metrics.factor_network import FactorNetwork
from direction_finder.metrics.features import INCEPTION, LITE0, Similarity, inception, lite0, similarity_of
from direction_finder.metrics.parts import Keep, under
from direction_finder.metrics.reference import Reference, choice, features_of

SHOWN = 10  # directions in the terminal, the strongest; the file has all
Report = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What to measure, and how. directions: None of a generator alone. class_index: None for random classes. network:
    what reads the factors; only measures of factors have it. keep: where the parts of long measures are kept until all
    of them are done."""

    generator: Generator
    directions: Directions | None
    class_index: int | None
    network: FactorNetwork | None
    samples: int | None
    seed: int
    max_batch: int
    features: str
    weights: Path | None
    real: Path | None
    place: str
    renders: Path | None
    other_renders: Path | None
    keep: Keep

    def how(self, name: str) -> dict[str, Any]:
        """What every measure takes; `name` is what its parts are kept under."""
        return {
            "class_index": self.class_index,
            "seed": self.seed,
            "max_batch": self.max_batch,
            "keep": under(self.keep, name),
        }

    @property
    def class_name(self) -> str:
        return "random classes" if self.class_index is None else self.generator.class_names[self.class_index]

    @property
    def similarity(self) -> tuple[Similarity, str]:
        """The distance of two pictures, and its name."""
        return similarity_of(self.features, self.generator.device, self.weights)

    @cached_property
    def seen(self) -> tuple[Tensor, Tensor, Report]:
        """Features of generated and of real pictures, and what they are."""
        if not self.real:
            raise InputError("fid and kid need --real, a data set or a folder of images")
        samples = self.samples or 5000
        images = Pictures(self.real, self.generator.resolution)
        about = images.about | {"sha256": images.sha256(choice(len(images), samples, self.seed))}
        own = self.features == "lite0"
        features = lite0(self.generator.device) if own else inception(self.generator.device, self.weights)
        kept = under(self.keep, f"real {about['sha256']}")
        with Bars("batch") as bars:
            real = Reference(images, samples, self.seed, features, kept, bars)
            drawn = features_of(self.generator, features, real.samples, on_step=bars, **self.how("drawn"))
        name = LITE0 if own else INCEPTION
        return drawn, real.seen, {"features": name, "samples": real.samples, "seed": self.seed, "real": about}

    @cached_property
    def effects(self) -> factors.Effects:
        """What each direction does to each factor."""
        with Bars("direction") as bars:
            return factors.measure_effects(
                self.generator,
                self.network,
                self.directions,
                samples=self.samples or 256,
                on_step=bars,
                **self.how("effect"),
            )


Measure = Callable[[Asked], tuple[Report, list[str]]]
"""Gives its report, plain values with everything that they depend on, and lines for the terminal."""
