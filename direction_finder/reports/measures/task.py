"""What `measure` is asked for, which every metric takes."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from torch import Tensor

from direction_finder.datasets import Pictures
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.generators import Generator
from direction_finder.metrics import factors
from direction_finder.metrics.factor_network import FactorNetwork
from direction_finder.metrics.features import INCEPTION, LITE0, Similarity, inception, lite0, similarity_of
from direction_finder.metrics.parts import Keep, anew, under
from direction_finder.metrics.reference import Reference, choice, features_of
from direction_finder.metrics.samples import Sampling
from direction_finder.progress import OnStep
from direction_finder.reports.measures.measurement import Report


@dataclass(frozen=True)
class Choices:
    """How metrics are taken. samples: latents (None: as many as the metric usually takes). features, weights: what
    distances of pictures are taken with. real: pictures for fid and kid. place: where on a path ppl is measured.
    renders, other_renders: data sets for fidelity."""

    samples: int | None = None
    features: str = "lite0"
    weights: Path | None = None
    real: Path | None = None
    place: str = "end"
    renders: Path | None = None
    other_renders: Path | None = None


@dataclass(frozen=True)
class Task:
    """What to measure, and how. directions: None of a generator alone. network: what reads the factors; only measures
    of factors have it. keep: where the parts of long measures are kept until all of them are done."""

    generator: Generator
    directions: Directions | None = None
    sampling: Sampling = field(default_factory=Sampling)
    choices: Choices = field(default_factory=Choices)
    network: FactorNetwork | None = None
    keep: Keep = anew
    on_step: OnStep | None = None

    @property
    def found(self) -> Directions:
        """The directions. Raises InputError if there are none."""
        if self.directions is None:
            raise InputError(f"{self.generator.name}: this metric is of directions, and there are none")
        return self.directions

    @property
    def reader(self) -> FactorNetwork:
        """What reads the factors. Raises InputError if there is none."""
        if self.network is None:
            raise InputError("this metric needs a factor network")
        return self.network

    @property
    def seed(self) -> int:
        return self.sampling.seed

    def samples(self, usual: int) -> int:
        """How many latents: as many as were given or asked for, else as `usual`."""
        return len(self.sampling.given) if self.sampling.given is not None else self.choices.samples or usual

    @property
    def class_name(self) -> str:
        index = self.sampling.class_index
        return "random classes" if index is None else self.generator.class_names[index]

    @property
    def about(self) -> str:
        """What is measured, in words."""
        if self.directions is None:
            return self.generator.name
        return f"{self.directions.method} directions in {self.generator.name}"

    @property
    def similarity(self) -> tuple[Similarity, str]:
        """The distance of two pictures, and its name."""
        return similarity_of(self.choices.features, self.generator.device, self.choices.weights)

    @cached_property
    def seen(self) -> tuple[Tensor, Tensor, Report]:
        """Features of generated and of real pictures, and what they are."""
        choices, seed = self.choices, self.seed
        if not choices.real:
            raise InputError("fid and kid need `real`, a data set or a folder of images")
        samples = self.samples(5000)
        images = Pictures(choices.real, self.generator.resolution)
        about = images.about | {"sha256": images.sha256(choice(len(images), samples, seed))}
        own = choices.features == "lite0"
        features = lite0(self.generator.device) if own else inception(self.generator.device, choices.weights)
        real = Reference(images, samples, seed, features, under(self.keep, f"real {about['sha256']}"), self.on_step)
        drawn = features_of(
            self.generator,
            features,
            self.sampling,
            samples=real.samples,
            keep=under(self.keep, "drawn"),
            on_step=self.on_step,
        )
        name = LITE0 if own else INCEPTION
        return drawn, real.seen, {"features": name, "samples": real.samples, "seed": seed, "real": about}

    @cached_property
    def effects(self) -> factors.Effects:
        """What each direction does to each factor."""
        return factors.measure_effects(
            self.generator,
            self.reader,
            self.found,
            self.sampling,
            samples=self.samples(256),
            keep=under(self.keep, "effect"),
            on_step=self.on_step,
        )
