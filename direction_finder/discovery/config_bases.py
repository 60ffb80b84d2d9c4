"""The settings that several methods share. This file does not import torch, so that `learn --help` answers at once."""

import dataclasses
from typing import TYPE_CHECKING, ClassVar, Self

from direction_finder.errors import InputError
from direction_finder.settings import MOST_ROWS, MOST_SEED, check_options, option

if TYPE_CHECKING:
    from direction_finder.generators import Generator, Half

EXACT, FAST = "exact", "fast"
HALVES = ("bfloat16", "float16")


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Settings that all methods have.

    class_index: None means random classes, or no class if the generator is unconditional. Several: one basis for all.
    """

    class_index: int | tuple[int, ...] | None = None
    num_directions: int | None = option(None, "Return only this many of the strongest.  [default: all]", least=1)
    dims: tuple[int, int] | None = option(None, "Search only these dimensions of z, e.g. 0-39.  [default: all]")
    layers: tuple[int, int] | None = option(None, "Apply directions to these layers only, e.g. 0-4.  [default: all]")
    max_batch: int = option(32, "Largest batch for the generator; larger batches are split.", least=2, most=MOST_ROWS)
    seed: int = option(0, "Seed of all random numbers.", least=0, most=MOST_SEED)

    changeable: ClassVar[tuple[str, ...]] = ()  # settings that may differ when a run is resumed

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def class_numbers(self) -> tuple[int, ...]:
        """Return the classes to search; none: random ones."""
        chosen = self.class_index
        return () if chosen is None else chosen if isinstance(chosen, tuple) else (chosen,)

    @property
    def kind(self) -> Self:
        """Return the settings without class and seed, on which what a search costs hardly depends."""
        return dataclasses.replace(self, class_index=None, seed=0)

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
        for number in self.class_numbers:
            if not 0 <= number < generator.num_classes:
                raise InputError(f"class {number}: {generator.name} has {generator.num_classes} classes")


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
