"""Compute figures with bootstrap intervals.

Figures of means have the studentised interval (Efron and Tibshirani 1993, Section 12.5): the deviations of bootstrap
samples from the figure are divided by their own standard errors, so that a sample without rare, large values, whose
errors are too small, gets a longer interval than percentiles give it. Standard errors are by the delta method. Other
figures, and fewer than `FEWEST` samples, have the percentile interval.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

RESAMPLED = 1000  # bootstrap samples behind each interval
TAILS = (0.025, 0.025)  # how often the truth is below and above an interval
FEWEST = 8  # samples, for standard errors of bootstrap samples


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
    """Return a figure with its percentile interval. around: the same figure for each bootstrap sample, (RESAMPLED,)."""
    low, high = around.quantile(torch.tensor([TAILS[0], 1 - TAILS[1]], dtype=around.dtype)).tolist()
    return Value(value.item(), low, high)


def of_means(figure: Callable[[Tensor], Tensor], rows: Tensor, seed: int, tails: tuple[float, float] = TAILS) -> Value:
    """Return a figure of the means of rows (samples, ...) with its interval.

    figure: maps means (batch, ...) to (batch,), differentiably, each from its own means alone. tails: how often the
    truth is below and above the interval, if the bootstrap is right.
    """
    rows = rows.double().cpu()
    count, shape, rows = len(rows), rows.shape[1:], rows.reshape(len(rows), -1)
    counts = resampled(count, seed)
    value, error = _with_errors(figure, rows, torch.ones(1, count, dtype=torch.double), shape)
    around, errors = _with_errors(figure, rows, counts, shape)
    if count < FEWEST or not error > 0:
        return interval(value[0], around)
    sure = errors > 1e-9 * error
    deviations = (around[sure] - value) / errors[sure]
    ends = deviations.quantile(torch.tensor([1 - tails[0], tails[1]], dtype=torch.double))
    low, high = (value - ends * error).tolist()
    return Value(value.item(), low, high)


def _with_errors(
    figure: Callable[[Tensor], Tensor], rows: Tensor, counts: Tensor, shape: torch.Size
) -> tuple[Tensor, Tensor]:
    """Return a figure of the means of rows (samples, k) taken `counts` (batch, samples) times, and its standard error.

    shape: that of a row for the figure.
    """
    number = len(rows)
    with torch.enable_grad():
        means = (counts @ rows / number).requires_grad_()
        values = figure(means.reshape(-1, *shape))
        (slopes,) = torch.autograd.grad(values.sum(), means)
    influence = rows @ slopes.mT
    influence = influence - (counts.mT * influence).sum(0) / number
    variance = (counts.mT * influence.square()).sum(0) / (number * max(1, number - 1))
    return values.detach(), variance.sqrt()


def mean(values: Tensor, seed: int) -> Value:
    """Return the mean of values (samples,) with its interval."""
    return of_means(lambda means: means * 1, values, seed)


def ratio(above: Tensor, below: Tensor, seed: int) -> Value:
    """Return sum(above) / sum(below) with its interval; both are (samples,)."""
    return of_means(lambda means: means[:, 0] / means[:, 1], torch.stack([above, below], 1), seed)
