"""The settings for training a BigGAN-deep."""

from dataclasses import dataclass

from direction_finder.errors import InputError
from direction_finder.settings import MOST_ROWS, MOST_SEED, check_options, option


@dataclass(frozen=True)
class BigGANConfig:
    """Settings for building and training a BigGAN-deep. `shapes-64` has the defaults, but 8,000 steps."""

    steps: int = option(10000, "Optimisation steps.", least=1)
    batch_size: int = option(32, "Images per step.", least=1, most=MOST_ROWS)
    seed: int = option(0, "Seed of weights, latents and the order of the images.", least=0, most=MOST_SEED)
    z_dim: int = option(24, "Size of z, and of the class embedding.", least=1, most=4096)
    channel_width: int = option(16, "Channels of the last block; the first has 16 times as many.", least=4, most=1024)
    discriminator_width: int = option(24, "Channels of the discriminator's first layer.", least=1, most=1024)
    learning_rate: float = option(1.5e-4, "Adam's learning rate for the generator.", above=0)
    discriminator_learning_rate: float = option(4e-4, "Adam's learning rate for the discriminator.", above=0)
    decay: float = option(
        0.25, "Fraction of the steps, at the end, during which both learning rates decrease to 0.", least=0, below=1
    )
    averaging: float = option(
        0.999, "Decay of the moving average of the generator's weights, per step.", least=0, below=1
    )

    def __post_init__(self) -> None:
        check_options(self)
        if self.channel_width % 2:
            raise InputError(f"channel_width is {self.channel_width}: expected an even number")
