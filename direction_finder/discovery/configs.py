"""The settings of the methods. They need no torch, so that `learn --help` answers at once."""

import dataclasses
from typing import TYPE_CHECKING, ClassVar

from direction_finder.errors import InputError
from direction_finder.settings import IMAGE, check_options, option

if TYPE_CHECKING:
    from direction_finder.generators import Generator, Half

EXACT, FAST = "exact", "fast"
HALVES = ("bfloat16", "float16")
STARTS = ("random", "coordinates")
SOLVERS = ("mean", "squares", "subspace", "joint")  # see `diagonalisation`
PARAMETRISATIONS = ("gram_schmidt", "cayley", "matrix_exp", "stiefel", "none")  # see `orthogonal`
FEWEST = 2  # points of a solution, also of a run that is stopped at once


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Settings that all methods have. `class_index` None: no class, or random classes of a conditional generator."""

    class_index: int | None = None
    num_directions: int | None = option(None, "Keep this many, the strongest.  [default: all]", least=1)
    dims: tuple[int, int] | None = option(None, "Search these dimensions of z only, e.g. 0-39.  [default: all]")
    layers: tuple[int, int] | None = option(None, "Directions act on these layers only, e.g. 0-4.  [default: all]")
    max_batch: int = option(32, "Largest batch the generator is given; more is done in slices.", least=2)
    seed: int = option(0, "Seed of all random numbers.", least=0)

    changeable: ClassVar[tuple[str, ...]] = ()  # settings that a resumed run may be given anew

    def __post_init__(self) -> None:
        check_options(self)

    def check(self, generator: "Generator") -> None:
        """Raise InputError unless this generator has what is to be searched."""
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
    """Settings of methods that work for long, chosen by measuring (see `tuning`) where the user leaves them open."""

    precision: str = option(
        EXACT,
        "exact: float32; fast: half precision where a measurement shows that it pays and the gradient stays the same; "
        "or as measured before, e.g. bfloat16:layer4.",
    )
    memory_limit: float | None = option(None, "GiB the run may take: the batch is then chosen by measuring.", above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        kind, _, stage = self.precision.partition(":")
        if self.precision not in (EXACT, FAST) and not (kind in HALVES and stage):
            raise InputError(
                f"precision is {self.precision!r}: expected {EXACT}, {FAST}, or one of {', '.join(HALVES)} with the "
                "stage from which on it is used, e.g. bfloat16:layer4"
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
        """Where half precision begins; None: nowhere."""
        kind, _, stage = self.precision.partition(":")
        if not stage:
            return None
        import torch

        from direction_finder.generators import Half

        return Half(getattr(torch, kind), stage)


@dataclasses.dataclass(frozen=True)
class ScoredConfig(SearchConfig):
    """Settings of methods whose directions are drawn to learn how strong they are."""

    score_samples: int = option(
        2, "Samples on which the strength of each direction is measured; 0: not measured, order as learned.", least=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_directions and not self.score_samples:
            raise InputError(
                "num_directions keeps the strongest directions: score_samples must be at least 1 to know them"
            )


@dataclasses.dataclass(frozen=True)
class LoopConfig(ScoredConfig, TunedConfig):
    """Settings of a stochastic loop over A."""

    steps: int = option(50_000, "Optimisation steps.", least=1)
    batch_size: int = option(96, "Samples per step.", least=1)
    learning_rate: float = option(0.01, "Learning rate of Adam.", above=0)
    schedule: str = option(
        "constant", "Learning rate: constant, or falling linearly to 0.", choices=("constant", "linear")
    )
    momentum: float = option(0.9, "How much of the mean gradient a step keeps (Adam's first beta).", least=0)
    num_probes: int = option(2, "Rademacher probes per sample (k).", least=2)
    epsilon: float = option(0.1, "Finite-difference step.", above=0)
    at: tuple[str, ...] = option(
        (IMAGE,), "Penalised outputs: the image or activations; repeat for a sum over several."
    )
    orthogonal: str = option(
        "gram_schmidt", "How A is kept orthogonal; stiefel: by Cayley ADAM.", choices=PARAMETRISATIONS
    )
    start: str = option("random", "random, coordinates, or a directions file to start from.")
    share_points: int = option(
        8, "Hessians on which the diagonal share is measured as it learns, at a tenth of the cost.", least=0
    )

    changeable = ("steps",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.momentum >= 1:
            raise InputError(f"momentum is {self.momentum}: expected a number below 1")
        if self.max_batch < self.rows_per_sample:
            raise InputError(
                f"max_batch is {self.max_batch}: one sample takes {self.rows_per_sample} rows, expected at least that"
            )

    @property
    def rows_per_sample(self) -> int:
        """How many rows the generator is given for one sample."""
        raise NotImplementedError

    @property
    def eta(self) -> float:
        """How far from z points are sampled: a field of every loop, with a default of its own."""
        raise NotImplementedError

    def check(self, generator: "Generator") -> None:
        super().check(generator)
        generator.check_activations(self.at)
        generator.check_differentiable("a loop over A")


@dataclasses.dataclass(frozen=True)
class HessianConfig(LoopConfig):
    """Settings of the paper's loop. The defaults are those of its BigGAN runs, 50,000 steps of 96 samples."""

    eta: float = option(5.0, "Points are sampled at z + eta A e_i with eta uniform in [-ETA, ETA].", least=0)
    reduction: str = option("mean", "Over the entries of an output: mean, or max per sample.", choices=("mean", "max"))

    @property
    def rows_per_sample(self) -> int:
        return 2 * self.num_probes


@dataclasses.dataclass(frozen=True)
class OrojarConfig(LoopConfig):
    """Settings of OroJaR's loop; the defaults are those of its BigGAN runs."""

    batch_size: int = option(32, "Samples per step.", least=1)
    eta: float = option(0.0, "Points are sampled at z + eta A e_i with eta uniform in [-ETA, ETA].", least=0)

    @property
    def rows_per_sample(self) -> int:
        return 1 + self.num_probes


@dataclasses.dataclass(frozen=True)
class DirectConfig(TunedConfig):
    """Settings of the methods that collect a matrix per point, then solve once."""

    points: int = option(48, "Points z at which a matrix is measured, at most.", least=FEWEST)
    epsilon: float = option(0.1, "Finite-difference step; the secants are as long as the penalty's.", above=0)
    at: tuple[str, ...] = option((IMAGE,), "Outputs whose derivatives are taken: the image or activations; repeat.")
    weight: str = option("unit", "Matrices as they are (raw) or of equal norm (unit).", choices=("unit", "raw"))
    keep_going: bool = option(False, "Use all points, even if the share has stopped rising.")

    changeable = ("points", "weight", "solver", "num_directions", "keep_going")

    @property
    def eta(self) -> float:
        """How far from z points lie: a field of every such method, with a default of its own."""
        raise NotImplementedError

    @property
    def solver(self) -> str:
        """How the matrices are made diagonal: likewise."""
        raise NotImplementedError

    def check(self, generator: "Generator") -> None:
        super().check(generator)
        generator.check_activations(self.at)


@dataclasses.dataclass(frozen=True)
class JointConfig(DirectConfig):
    """Settings of `joint`."""

    eta: float = option(5.0, "Points are z + eta q, q a random unit direction, eta uniform in [-ETA, ETA].", least=0)
    solver: str = option("squares", "How the Hessians are made diagonal.", choices=SOLVERS)


@dataclasses.dataclass(frozen=True)
class JacobianConfig(DirectConfig):
    """Settings of `jacobian`."""

    eta: float = option(0.0, "Points are z + eta q, q a random unit direction, eta uniform in [-ETA, ETA].", least=0)
    solver: str = option("joint", "How the matrices J^T J are made diagonal.", choices=SOLVERS)


@dataclasses.dataclass(frozen=True)
class CoordinatesConfig(ScoredConfig):
    """Settings of `coordinates`."""


@dataclasses.dataclass(frozen=True)
class RandomConfig(ScoredConfig):
    """Settings of `random`."""


CONFIGS: dict[str, type[SearchConfig]] = {
    "jacobian": JacobianConfig,
    "joint": JointConfig,
    "hessian": HessianConfig,
    "orojar": OrojarConfig,
    "coordinates": CoordinatesConfig,
    "random": RandomConfig,
}
DEFAULT = "jacobian"
