"""The settings for training St-RKMs and autoencoders with regularisers."""

from dataclasses import dataclass

from direction_finder.errors import InputError
from direction_finder.settings import MOST_ROWS, MOST_SEED, check_options, option

DETERMINISTIC, STOCHASTIC, SPLIT = LOSSES = ("deterministic", "stochastic", "split")
NONE, TRACE, MEAN_FIELD, FULL, BETA, FACTOR = "none", "trace", "mean-field", "full", "beta", "factor"
REGULARISERS = (FULL, MEAN_FIELD, TRACE, NONE, BETA, FACTOR)


@dataclass(frozen=True)
class AutoencoderConfig:
    """Settings that all autoencoders share."""

    steps: int = option(2000, "Number of training steps.", least=1)
    batch_size: int = option(128, "Images per step.", least=2, most=MOST_ROWS)
    seed: int = option(0, "Seed of weights, noise and the order of the images.", least=0, most=MOST_SEED)
    width: int = option(16, "Channels at half resolution; twice as many at each lower level.", least=1, most=4096)
    hidden: int = option(256, "Size of the linear layer between convolutions and features.", least=1, most=65536)
    learning_rate: float = option(2e-3, "Adam's learning rate, which falls to 0 along a cosine.", above=0)
    held_out: float = option(
        0.1, "Fraction of the images to leave out, on which the error is measured.", above=0, below=1
    )

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def dim(self) -> int:
        """The size of the latents."""
        raise NotImplementedError


@dataclass(frozen=True)
class StRKMConfig(AutoencoderConfig):
    """Settings for training an St-RKM (Pandey et al. 2021, https://arxiv.org/abs/2009.04323)."""

    columns: int = option(10, "Columns of U: the size of the latents.", least=1, most=4096)
    features: int = option(50, "Size of the feature space, of which U spans a part.", least=1, most=4096)
    loss: str = option(
        "deterministic",
        "How to compare images: as decoded; decoded from features with noise; or both, as decoded with the image, and "
        "with noise with the one without.",
        choices=LOSSES,
    )
    noise: float = option(1e-3, "Deviation of the noise on features, for the losses stochastic and split.", least=0)
    image_weight: float = option(1.0, "Weight of the images' error beside that of the features.", above=0)
    column_rate: float = option(
        0.02, "Cayley ADAM's learning rate for U, which falls to 0 too; 0: U is fixed.", least=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.columns > self.features:
            raise InputError(
                f"columns is {self.columns}: U has at most as many orthonormal columns as there are features; set "
                f"`features`, now {self.features}, to at least {self.columns}"
            )

    @property
    def dim(self) -> int:
        return self.columns


@dataclass(frozen=True)
class VAEConfig(AutoencoderConfig):
    """Settings for training an autoencoder with one of `REGULARISERS`.

    trace, mean-field and full are those of Kumar and Poole 2020 (https://arxiv.org/abs/2002.00041), without noise; beta
    is a beta-VAE (Higgins et al. 2017), factor a FactorVAE (Kim and Mnih 2018, https://arxiv.org/abs/1802.05983).
    """

    z_dim: int = option(10, "Size of the latents.", least=1, most=4096)
    regulariser: str = option(
        MEAN_FIELD,
        "full, mean-field or trace: deterministic, on the decoder's Jacobian; beta: a beta-VAE; factor: a FactorVAE; "
        "none: an autoencoder.",
        choices=REGULARISERS,
    )
    beta: float = option(0.3, "Weight of the regulariser: beta of the beta-VAE.", above=0)
    gamma: float = option(10.0, "Weight of the total correlation (factor).", least=0)

    @property
    def dim(self) -> int:
        return self.z_dim
