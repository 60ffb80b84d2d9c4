"""Compute figures with bootstrap intervals."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

RESAMPLED = 1000  # bootstrap samples behind each interval
INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Value:
    """A figure with its 95 % bootstrap interval over latents."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def resampled(samples: int, seed: int) -> Tensor:
    """Return how often each sample is in each bootstrap sample: (RESAMPLED, samples)."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.multinomial(samples, np.full(samples, 1 / samples), RESAMPLED)).double()


def interval(value: Tensor, around: Tensor) -> Value:
    """Return a figure with its interval. around: the same figure for each bootstrap sample, (RESAMPLED,)."""
    low, high = around.quantile(torch.tensor(INTERVAL, dtype=around.dtype)).tolist()
    return Value(value.item(), low, high)


def mean(values: Tensor, seed: int) -> Value:
    """Return the mean of values (samples,) with its interval."""
    values = values.double().cpu()
    return interval(values.mean(), resampled(len(values), seed) @ values / len(values))


def ratio(above: Tensor, below: Tensor, seed: int) -> Value:
    """Return sum(above) / sum(below) with its interval; both are (samples,)."""
    counts = resampled(len(above), seed)
    return interval(above.sum() / below.sum(), (counts @ above.double()) / (counts @ below.double()))
