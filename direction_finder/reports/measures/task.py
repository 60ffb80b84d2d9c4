"""Describe what `measure` computes; every metric receives such a task."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from direction_finder.datasets import CHECKSUMS, Images
from direction_finder.directions import Directions
from direction_finder.errors import InputError
from direction_finder.files import file_sha256
from direction_finder.generators import Generator
from direction_finder.metrics.features import INCEPTION, LITE0, Similarity, inception, lite0, similarity_of
from direction_finder.metrics.reader import Reader
from direction_finder.metrics.readings import Readings, read_along
from direction_finder.metrics.reference import Reference, choice, features_of
from direction_finder.metrics.samples import Sampling
from direction_finder.progress import OnStep
from direction_finder.reports.measures.measurement import Report
from direction_finder.resumable import Cache, prefixed, uncached
from direction_finder.version import package_version


@dataclass(frozen=True)
class Choices:
    """Hold the settings of metrics.

    samples: number of latents (None: the metric's usual number). features, weights: the network for distances of images
    and the folder of its weights. real: images for fid and kid. place: where on a path ppl is measured. renders,
    other_renders: data sets for fidelity.
    """

    samples: int | None = None
    features: str = "lite0"
    weights: Path | None = None
    real: Path | None = None
    place: str = "end"
    renders: Path | None = None
    other_renders: Path | None = None

    @property
    def depends_on(self) -> Report:
        """Return everything that measurements depend on: data sets with the hash of their checksums."""
        values = {name: value if isinstance(value, int) else str(value) for name, value in vars(self).items()}
        for name in ("renders", "other_renders"):
            if (folder := getattr(self, name)) and (folder / CHECKSUMS).is_file():
                values[name] = file_sha256(folder / CHECKSUMS)
        return values


@dataclass(frozen=True)
class Task:
    """Describe what to measure, and how.

    directions: None to measure a generator alone. network: what reads factors; only metrics of factors have
    it. cache: saves the parts of long measurements until all of them are done.
    """

    generator: Generator
    directions: Directions | None = None
    sampling: Sampling = field(default_factory=Sampling)
    choices: Choices = field(default_factory=Choices)
    network: Reader | None = None
    cache: Cache = uncached
    on_step: OnStep | None = None

    @property
    def found(self) -> Directions:
        """Return the directions. Raises InputError if there are none."""
        if self.directions is None:
            raise InputError(f"{self.generator.name}: this metric measures directions, and there are none")
        return self.directions

    @property
    def reader(self) -> Reader:
        """Return what reads factors. Raises InputError if there is none."""
        if self.network is None:
            raise InputError("this metric needs a factor network")
        return self.network

    @property
    def seed(self) -> int:
        """Return the seed of the samples."""
        return self.sampling.seed

    def samples(self, usual: int) -> int:
        """Return the number of latents: of the given samples, else as chosen, else `usual`."""
        return len(self.sampling.given) if self.sampling.given is not None else self.choices.samples or usual

    @property
    def class_name(self) -> str:
        """Return the name of the class, or "random classes"."""
        index = self.sampling.class_index
        return "random classes" if index is None else self.generator.class_names[index]

    @property
    def about(self) -> str:
        """Describe what is measured."""
        if self.directions is None:
            return self.generator.name
        return f"{self.directions.method} directions in {self.generator.name}"

    @property
    def similarity(self) -> tuple[Similarity, str]:
        """Return a function for the distance of two images, and its name."""
        return similarity_of(self.choices.features, self.generator.device, self.choices.weights)

    @property
    def origin(self) -> Report:
        """Return everything that raw measurements depend on, and that all metrics have in common; see `raw.Origin`."""
        given = self.sampling.given
        return {
            "about": self.about,
            "generator": self.generator.name,
            "weights_sha256": self.generator.weights_sha256,
            "truncation": self.generator.truncation,
            "device": str(self.generator.device),
            "directions_sha256": self.directions and self.directions.sha256,
            "class": self.class_name,
            "class_index": self.sampling.class_index,
            "samples": self.choices.samples,
            "samples_sha256": given and given.sha256,
            "seed": self.seed,
            "max_batch": self.sampling.max_batch,
            "direction_finder": package_version(),
            "torch": torch.__version__,
        }

    @cached_property
    def seen(self) -> tuple[Tensor, Tensor, Report]:
        """Return features of generated and of real images, and a description of them."""
        choices, seed = self.choices, self.seed
        if not choices.real:
            raise InputError("fid and kid compare with real images: give a data set or a folder of images as `real`")
        samples = self.samples(5000)
        images = Images(choices.real, self.generator.resolution)
        about = images.about | {"sha256": images.sha256(choice(len(images), samples, seed))}
        own = choices.features == "lite0"
        features = lite0(self.generator.device) if own else inception(self.generator.device, choices.weights)
        real = Reference(images, samples, seed, features, prefixed(self.cache, f"real {about['sha256']}"), self.on_step)
        generated = features_of(
            self.generator,
            features,
            self.sampling,
            samples=real.samples,
            cache=prefixed(self.cache, "drawn"),
            on_step=self.on_step,
        )
        name = LITE0 if own else INCEPTION
        return generated, real.seen, {"features": name, "real": about}

    @cached_property
    def readings(self) -> Readings:
        """Return what the factor network reads along each direction."""
        return read_along(
            self.generator,
            self.reader,
            self.found,
            self.sampling,
            samples=self.samples(256),
            cache=prefixed(self.cache, "readings"),
            on_step=self.on_step,
        )
