"""The settings for training a ProGAN, and values derived from them."""

from dataclasses import dataclass

from direction_finder.errors import InputError
from direction_finder.settings import FARTHEST, MOST_ROWS, MOST_SEED, check_options, option


@dataclass(frozen=True)
class ProGANConfig:
    """Settings for building and training a ProGAN. A kimg is a thousand real images shown to the critic."""

    kimg: float = option(600.0, "Thousands of images to train on in total.", above=0)
    fade_kimg: float = option(30.0, "Thousands of images over which a new level fades in.", above=0)
    stable_kimg: float = option(30.0, "Thousands of images for training a level before the next one begins.", above=0)
    batch_size: int = option(
        16, "Images per step at full resolution; twice as many at each lower level.", least=1, most=MOST_ROWS
    )
    largest_batch: int = option(64, "Largest number of images per step.", least=1, most=MOST_ROWS)
    seed: int = option(0, "Seed of weights, latents and the order of the images.", least=0, most=MOST_SEED)
    z_dim: int = option(12, "Size of z.", least=1, most=4096)
    width: int = option(32, "Channels at full resolution; twice as many at each lower level.", least=1, most=4096)
    max_width: int = option(64, "Largest number of channels.", least=1, most=4096)
    learning_rate: float = option(1e-3, "Adam's learning rate for both networks.", above=0)
    average_kimg: float = option(10.0, "Half-life, in kimg, of the average of the generator's weights.", above=0)
    mirror: bool = option(False, "Mirror half of the images, at random.")
    codes: int = option(0, "InfoGAN: how many components of z the critic guesses.", least=0)
    code_weight: float = option(1.0, "InfoGAN: weight of the loss of this guess.", least=0)
    penalty_weight: float = option(0.0, "Weight of the Hessian Penalty.", least=0)
    ramp_kimg: float = option(0.0, "Thousands of images over which the penalty's weight rises from 0.", least=0)
    penalty_layers: tuple[int, int] | None = option(
        None, "Layers whose activations are penalised, e.g. 1-6.  [default: all but those of the last resolution]"
    )
    penalty_reduction: str = option(
        "max",
        "How to reduce over the entries of an activation: max per sample; batch-max: also over the batch; or mean.",
        choices=("max", "batch-max", "mean"),
    )
    penalty_every: int = option(1, "Compute the penalty at every Nth step only, with N times the weight.", least=1)
    num_probes: int = option(2, "Random probes of the penalty.", least=2, most=1000)
    epsilon: float = option(0.1, "Finite-difference step of the penalty.", least=1e-6, most=FARTHEST)

    def __post_init__(self) -> None:
        from direction_finder.generators.networks.progan import GROUP

        check_options(self)
        if self.codes > self.z_dim:
            raise InputError(f"codes is {self.codes}: z has {self.z_dim} components; set it to at most that number")
        for name in ("batch_size", "largest_batch"):
            if getattr(self, name) % GROUP:  # the critic compares images in groups, all real or all generated
                raise InputError(f"{name} is {getattr(self, name)}: expected a multiple of {GROUP}")

    def batch_at(self, level: int, levels: int) -> int:
        """Return the number of images per step at a level."""
        return min(self.batch_size * 2 ** (levels - 1 - level), self.largest_batch)

    def widths(self, levels: int) -> list[int]:
        """Return the number of channels at 4x4, 8x8, ..."""
        return [min(self.width * 2 ** (levels - 1 - level), self.max_width) for level in range(levels)]

    def penalised(self, levels: int) -> list[int]:
        """Return the numbers of the penalised layers, from 1. Raises InputError for layers that do not exist."""
        first, last = self.penalty_layers or (1, max(1, 2 * (levels - 1)))
        if not 1 <= first <= last <= 2 * levels:
            raise InputError(f"penalty_layers {first}-{last}: the generator has layers 1 to {2 * levels}")
        return list(range(first, last + 1))
