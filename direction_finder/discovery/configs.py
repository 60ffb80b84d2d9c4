"""The settings of the methods. This file does not import torch, so that `learn --help` answers at once."""

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from direction_finder.discovery.config_bases import ScoredConfig, SearchConfig, TunedConfig
from direction_finder.errors import InputError
from direction_finder.settings import FARTHEST, IMAGE, MIDDLE, MOST_ROWS, option

if TYPE_CHECKING:
    from direction_finder.generators import Generator

STARTS = ("random", "coordinates")
SOLVERS = ("mean", "squares", "subspace", "joint")  # see `diagonalisation`
PARAMETRISATIONS = ("gram_schmidt", "cayley", "matrix_exp", "stiefel", "none")  # see `orthogonal`
CHANNEL, WHOLE = BY = ("channel", "whole")
KEPT, FEWEST_KEPT = 48, 12  # matrices of a point, to which those of its channels are compressed; in large spaces fewer
KEPT_UP_TO = 128  # dimensions with which all of them are kept
FEWEST = 2  # points that a direct method needs, even if the run is stopped at once


@dataclasses.dataclass(frozen=True)
class LoopConfig(ScoredConfig, TunedConfig):
    """Settings of the methods that learn the matrix of directions A by stochastic gradients."""

    steps: int = option(50_000, "Optimisation steps.", least=1)
    batch_size: int = option(96, "Samples per step.", least=1, most=MOST_ROWS)
    learning_rate: float = option(0.01, "Learning rate of Adam.", above=0, most=1000)
    schedule: str = option(
        "constant", "Learning rate: constant, or decreasing linearly to 0.", choices=("constant", "linear")
    )
    momentum: float = option(0.9, "Decay rate of the mean gradient (Adam's first beta).", least=0, below=1)
    num_probes: int = option(2, "Random probes per sample (k, Rademacher).", least=2, most=1000)
    epsilon: float = option(0.1, "Finite-difference step.", least=1e-6, most=FARTHEST)
    at: tuple[str, ...] = option(
        (IMAGE,), "Output to penalise: the image or an activation; repeat the option to sum over several."
    )
    orthogonal: str = option(
        "gram_schmidt", "How A stays orthogonal; stiefel uses Cayley ADAM.", choices=PARAMETRISATIONS
    )
    start: str = option("random", "Where to start: random, coordinates, or a directions file.")
    share_points: int = option(
        8, "Hessians for measuring the diagonal share during learning, at a tenth of the cost.", least=0, most=10_000
    )

    changeable = ("steps",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_batch < self.rows_per_sample:
            raise InputError(
                f"max_batch is {self.max_batch}: expected at least {self.rows_per_sample}, the rows of one sample"
            )

    @property
    def rows_per_sample(self) -> int:
        """Return how many rows the generator computes for one sample."""
        raise NotImplementedError

    @property
    def eta(self) -> float:
        """Return how far from z points are sampled; every subclass has it as a field with its own default."""
        raise NotImplementedError

    def check(self, generator: "Generator") -> None:
        super().check(generator)
        generator.check_activations(self.at)
        generator.check_differentiable("a loop over A")


@dataclasses.dataclass(frozen=True)
class HessianConfig(LoopConfig):
    """Settings of the paper's method. The defaults are those of its BigGAN runs: 50,000 steps of 96 samples."""

    eta: float = option(
        5.0, "Points are sampled at z + eta A e_i with eta uniform in [-ETA, ETA].", least=0, most=FARTHEST
    )
    reduction: str = option(
        "mean", "How to reduce over the entries of an output: mean, or max per sample.", choices=("mean", "max")
    )

    @property
    def rows_per_sample(self) -> int:
        return 2 * self.num_probes


@dataclasses.dataclass(frozen=True)
class OrojarConfig(LoopConfig):
    """Settings of OroJaR's method. The defaults are those of its BigGAN runs."""

    batch_size: int = option(32, "Samples per step.", least=1, most=MOST_ROWS)
    eta: float = option(
        0.0, "Points are sampled at z + eta A e_i with eta uniform in [-ETA, ETA].", least=0, most=FARTHEST
    )

    @property
    def rows_per_sample(self) -> int:
        return 1 + self.num_probes


@dataclasses.dataclass(frozen=True)
class DirectConfig(TunedConfig):
    """Settings of the methods that measure one matrix per point and then solve once."""

    points: int = option(48, "Largest number of points z at which a matrix is measured.", least=FEWEST, most=100_000)
    epsilon: float = option(0.1, "Finite-difference step, scaled as in the Hessian Penalty.", least=1e-6, most=FARTHEST)
    at: tuple[str, ...] = option((IMAGE,), "Output to differentiate: the image or an activation; may be repeated.")
    weight: str = option("unit", "Scale the matrices to equal norm (unit) or not (raw).", choices=("unit", "raw"))
    keep_going: bool = option(False, "Use all points, even if the diagonal share has stopped rising.")

    changeable = ("points", "weight", "solver", "num_directions", "keep_going")

    def per_point(self, size: int) -> int:
        """Return how many matrices are kept of each point, in a searched space of `size` dimensions."""
        return 1

    @property
    def eta(self) -> float:
        """Return how far from z points are sampled; every subclass has it as a field with its own default."""
        raise NotImplementedError

    @property
    def solver(self) -> str:
        """Return the name of the solver; every subclass has it as a field with its own default."""
        raise NotImplementedError

    def check(self, generator: "Generator") -> None:
        super().check(generator)
        generator.check_activations(self.at)
        if self.points < len(self.class_numbers):
            raise InputError(
                f"{self.points} points for {len(self.class_numbers)} classes together: expected a point of each at "
                "least; set `points` higher, or name fewer classes"
            )


@dataclasses.dataclass(frozen=True)
class HessianDirectConfig(DirectConfig):
    """Settings of `hessian-direct`."""

    eta: float = option(
        5.0, "Points are z + eta q, q a random unit direction, eta uniform in [-ETA, ETA].", least=0, most=FARTHEST
    )
    solver: str = option("squares", "Algorithm that diagonalises the Hessians.", choices=SOLVERS)


@dataclasses.dataclass(frozen=True)
class JacobianConfig(DirectConfig):
    """Settings of `jacobian`."""

    eta: float = option(
        0.0, "Points are z + eta q, q a random unit direction, eta uniform in [-ETA, ETA].", least=0, most=FARTHEST
    )
    at: tuple[str, ...] = option(
        (MIDDLE,),
        "Output to differentiate: the image, an activation, or middle, two activations of middle resolution; may be "
        "repeated.",
    )
    solver: str = option("joint", "Algorithm that diagonalises the matrices J^T J.", choices=SOLVERS)
    by: str = option(
        CHANNEL, "Measure a matrix J^T J of each channel of the output, or one of the whole output.", choices=BY
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.by == CHANNEL and (self.weight == "raw" or self.solver == "mean"):
            raise InputError(
                "by channel, matrices are weighted and compressed, which loses their norms and their mean: with "
                "`weight` raw or `solver` mean, set `by` whole"
            )

    def check(self, generator: "Generator") -> None:
        unknown_yet = self.at == (MIDDLE,)
        DirectConfig.check(dataclasses.replace(self, at=(IMAGE,)) if unknown_yet else self, generator)

    def per_point(self, size: int) -> int:
        if self.by == WHOLE:
            return 1
        return max(FEWEST_KEPT, min(KEPT, KEPT * KEPT_UP_TO**2 // size**2))


@dataclasses.dataclass(frozen=True)
class MeanFieldConfig(DirectConfig):
    """Settings of `mean-field`."""

    eta: float = option(
        0.0, "Points are z + eta q, q a random unit direction, eta uniform in [-ETA, ETA].", least=0, most=FARTHEST
    )
    weight: str = option("raw", "Scale the matrices to equal norm (unit) or not (raw).", choices=("unit", "raw"))
    beta: float = option(
        1.0,
        "How strongly a direction must change the output to count, relative to the mean eigenvalue of J^T J. Small: "
        "all directions count alike (Pham's criterion). Large: strong ones count more (raw least squares).",
        least=1e-6,
        most=1e6,
    )

    changeable = ("points", "weight", "beta", "num_directions", "keep_going")


@dataclasses.dataclass(frozen=True)
class LocalBasisConfig(TunedConfig):
    """Settings of `local-basis`, whose single point is measured as those of the direct methods are."""

    epsilon: float = option(
        3e-4, "Finite-difference step, scaled as in the Hessian Penalty.", least=1e-6, most=FARTHEST
    )
    at: tuple[str, ...] = option((IMAGE,), "Output to differentiate: the image or an activation; may be repeated.")

    eta: ClassVar[float] = 0.0
    points: ClassVar[int] = 1

    def per_point(self, size: int) -> int:
        """Return how many matrices are kept of the point."""
        return 1

    def check(self, generator: "Generator") -> None:
        super().check(generator)
        generator.check_activations(self.at)
        if len(self.class_numbers) > 1:
            raise InputError(
                "local-basis measures one point, of one class: several classes cannot be searched together"
            )


@dataclasses.dataclass(frozen=True)
class CoordinatesConfig(ScoredConfig):
    """Settings of `coordinates`."""


@dataclasses.dataclass(frozen=True)
class RandomConfig(ScoredConfig):
    """Settings of `random`."""


@dataclasses.dataclass(frozen=True)
class SefaConfig(SearchConfig):
    """Settings of `sefa`."""

    read: tuple[str, ...] | None = option(
        None, "Layer whose weights are factorised, e.g. layer0; may be repeated.  [default: all that read latents]"
    )
    weight: str = option(
        "unit", "Scale the rows of the weights to equal norm (unit) or not (raw).", choices=("unit", "raw")
    )


@dataclasses.dataclass(frozen=True)
class GanspaceConfig(SearchConfig):
    """Settings of `ganspace`."""

    samples: int = option(10_000, "Number of samples whose activations are analysed.", least=2, most=MOST_ROWS * 10)
    components: int = option(80, "Principal components, at most as many as there are dimensions.", least=1, most=10_000)
    at: tuple[str, ...] | None = option(None, "Activations to analyse.", default_text="the first activation")

    def check(self, generator: "Generator") -> None:
        super().check(generator)
        generator.check_activations(self.at or ())


CONFIGS: dict[str, type[SearchConfig]] = {
    "jacobian": JacobianConfig,
    "hessian-direct": HessianDirectConfig,
    "mean-field": MeanFieldConfig,
    "hessian": HessianConfig,
    "orojar": OrojarConfig,
    "sefa": SefaConfig,
    "ganspace": GanspaceConfig,
    "local-basis": LocalBasisConfig,
    "coordinates": CoordinatesConfig,
    "random": RandomConfig,
}
DEFAULT = "jacobian"
