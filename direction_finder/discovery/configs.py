"""The settings of the methods. This file does not import torch, so that `learn --help` answers at once."""

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from direction_finder.errors import InputError
from direction_finder.settings import FARTHEST, IMAGE, MOST_ROWS, MOST_SEED, check_options, option

if TYPE_CHECKING:
    from direction_finder.generators import Generator, Half

EXACT, FAST = "exact", "fast"
HALVES = ("bfloat16", "float16")
STARTS = ("random", "coordinates")
SOLVERS = ("mean", "squares", "subspace", "joint")  # see `diagonalisation`
PARAMETRISATIONS = ("gram_schmidt", "cayley", "matrix_exp", "stiefel", "none")  # see `orthogonal`
FEWEST = 2  # points that a direct method needs, even if the run is stopped at once


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Settings that all methods have.

    class_index: None means random classes, or no class if the generator is unconditional.
    """

    class_index: int | None = None
    num_directions: int | None = option(None, "Return only this many of the strongest.  [default: all]", least=1)
    dims: tuple[int, int] | None = option(None, "Search only these dimensions of z, e.g. 0-39.  [default: all]")
    layers: tuple[int, int] | None = option(None, "Apply directions to these layers only, e.g. 0-4.  [default: all]")
    max_batch: int = option(32, "Largest batch for the generator; larger batches are split.", least=2, most=MOST_ROWS)
    seed: int = option(0, "Seed of all random numbers.", least=0, most=MOST_SEED)

    changeable: ClassVar[tuple[str, ...]] = ()  # settings that may differ when a run is resumed

    def __post_init__(self) -> None:
        check_options(self)

    def check(self, generator: "Generator") -> None:
        """Raise InputError if the generator lacks the dimensions, layers or class to search."""
        first, last = self.dims or (0, 0)
        if not 0 <= first <= last < generator.dim:
            raise InputError(f"dims {first}-{last}: {generator.name} has dimensions 0 to {generator.dim - 1}")
        top, bottom = self.layers or (0, 0)
        if not 0 <= top <= bottom < generator.num_layers:
            raise InputError(f"layers {top}-{bottom}: {generator.name} has layers 0 to {generator.num_layers - 1}")
        size = last - first + 1 if self.dims else generator.dim
        if self.num_directions and self.num_directions > size:
            raise InputError(f"num_directions {self.num_directions}: the searched space has {size} dimensions")
        if self.class_index is not None and not 0 <= self.class_index < generator.num_classes:
            raise InputError(f"class {self.class_index}: {generator.name} has {generator.num_classes} classes")


@dataclasses.dataclass(frozen=True)
class TunedConfig(SearchConfig):
    """Settings of the slow methods. `tuning` can choose the precision and the batch size by measuring."""

    precision: str = option(
        EXACT,
        "exact: float32; fast: half precision where a quick measurement shows that it is faster and that accuracy does "
        "not suffer; bfloat16:layer4, for example: half precision from that stage on, as an earlier measurement chose.",
    )
    memory_limit: float | None = option(
        None,
        "Limit of the peak memory of the process, or of the GPU's allocator, in GiB; the batch is then chosen by "
        "measuring.",
        above=0,
        most=1_000_000,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        kind, _, stage = self.precision.partition(":")
        if self.precision not in (EXACT, FAST) and not (kind in HALVES and stage):
            raise InputError(
                f"precision is {self.precision!r}: expected {EXACT}, {FAST}, or one of {', '.join(HALVES)} followed by "
                "the stage from which it is used, e.g. bfloat16:layer4"
            )

    def check(self, generator: "Generator") -> None:
        super().check(generator)
        half = self.half
        if half and half.first not in generator.stage_names:
            raise InputError(
                f"precision {self.precision}: {generator.name} has no stage {half.first!r}; "
                f"it has {', '.join(generator.stage_names)}"
            )

    @property
    def half(self) -> "Half | None":
        """Return where half precision begins, or None if it is not used."""
        kind, _, stage = self.precision.partition(":")
        if not stage:
            return None
        import torch

        from direction_finder.generators import Half

        return Half(getattr(torch, kind), stage)


@dataclasses.dataclass(frozen=True)
class ScoredConfig(SearchConfig):
    """Settings of methods that render images along each direction to measure its strength."""

    score_samples: int = option(
        2, "Samples used to measure the strength of each direction; 0: do not measure or sort.", least=0, most=MOST_ROWS
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_directions and not self.score_samples:
            raise InputError(
                "num_directions selects the strongest directions, which are not known with `score_samples` 0: "
                "set it to at least 1"
            )


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
    solver: str = option("joint", "Algorithm that diagonalises the matrices J^T J.", choices=SOLVERS)


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
    "hessian": HessianConfig,
    "orojar": OrojarConfig,
    "sefa": SefaConfig,
    "ganspace": GanspaceConfig,
    "coordinates": CoordinatesConfig,
    "random": RandomConfig,
}
DEFAULT = "jacobian"
