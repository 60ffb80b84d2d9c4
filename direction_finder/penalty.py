"""The Hessian Penalty of any function (Peebles et al. 2020, https://arxiv.org/abs/2008.10599)."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from direction_finder.errors import InputError
from direction_finder.randomness import rademacher

Outputs = Tensor | list[Tensor]


def hessian_penalty(
    f: Callable[..., Tensor | Sequence[Tensor]],
    x: Tensor,
    *,
    rng: torch.Generator | None = None,
    num_probes: int = 2,
    epsilon: float = 0.1,
    probes: Tensor | None = None,
    unbiased: bool = True,
    context: Sequence[Tensor] = (),
) -> Outputs:
    """Estimate 2 * sum_{i != j} H_ij^2 for each output entry of `f` at `x` (paper, Eqs. 4 and 5).

    The estimate is the variance over Rademacher probes v of the central second difference
    [f(x + eps v) - 2 f(x) + f(x - eps v)] / eps^2. The centre is the same for every probe and cancels in the variance,
    so `f` sees 2 k rows per sample, not 2 k + 1. The caller reduces (the paper: max over entries; its BigGAN: mean).

    Args:
        f: called once as f(rows, *context_rows) with rows of shape (2 k batch, ...): first x + eps v for every probe
            (probe-major), then x - eps v. It returns a tensor (2 k batch, ...) or a sequence of them, and must be
            deterministic and treat rows independently (no dropout, noise inputs or batch statistics).
        x: the points (batch, ...).
        rng: random generator for the probes; not needed when `probes` are given.
        num_probes: k >= 2. The paper uses 2.
        epsilon: finite-difference step. The paper uses 0.1; the penalty's own scale does not depend on it.
        probes: probes (k, batch, ...) to use instead of random ones.
        unbiased: divide the variance by k - 1. The biased form (k) halves the penalty at k = 2, as the paper's
            TensorFlow code does.
        context: tensors with one row per sample (classes, base latents), repeated alongside the rows.

    Returns:
        A tensor (batch, ...) shaped as f's output, or a list of them if `f` returned a sequence.
    """
    if probes is None:
        if rng is None:
            raise InputError("hessian_penalty needs `rng` (a torch.Generator) or `probes`")
        probes = rademacher((num_probes, *x.shape), rng)
    if probes.shape[1:] != x.shape:
        raise InputError(
            f"probes have shape {tuple(probes.shape)}: expected (num_probes, {', '.join(map(str, x.shape))})"
        )
    k = len(probes)
    if k <= int(unbiased):
        raise InputError(f"a variance over {k} probe(s) is not defined: give at least {1 + int(unbiased)}")
    if epsilon <= 0:
        raise InputError(f"epsilon must be above 0, got {epsilon}")

    steps = epsilon * probes.to(x)
    rows = torch.cat([x + steps, x - steps]).flatten(0, 1)
    repeated = [tensor.repeat(2 * k, *[1] * (tensor.ndim - 1)) for tensor in context]
    out = f(rows, *repeated)

    def variance(values: Tensor) -> Tensor:
        plus, minus = values.unflatten(0, (2, k, len(x)))
        # differences of neighbouring values first: nearly exact in floating point, where sums of large values are not
        second = (plus - plus[:1]) + (minus - minus[:1])
        apart = second - second.mean(0)  # `var` over the first dimension is several times slower on a CPU
        return apart.square().sum(0) / ((k - int(unbiased)) * epsilon**4)

    return variance(out) if isinstance(out, Tensor) else [variance(values) for values in out]


def jacobian_penalty(
    f: Callable[..., Tensor],
    x: Tensor,
    *,
    probes: Tensor,
    epsilon: float = 0.1,
    context: Sequence[Tensor] = (),
) -> Tensor:
    """Estimate 2 * sum_{i != j} (J_i . J_j)^2 per sample: (batch,). J_i is the derivative of the whole output for x_i.

    The estimate is the variance over Rademacher probes v of ||J v||^2, where J v is a forward difference (OroJaR, Wei
    et al. 2021, https://arxiv.org/abs/2108.07668).
    f: as for `hessian_penalty`, but called with (1 + k) batch rows, x first. probes: (k, batch, ...), k >= 2.
    """
    k = len(probes)
    rows = torch.cat([x[None], x + epsilon * probes.to(x)]).flatten(0, 1)
    repeated = [tensor.repeat(1 + k, *[1] * (tensor.ndim - 1)) for tensor in context]
    centre, moved = f(rows, *repeated).flatten(1).split([len(x), k * len(x)])
    changes = (moved.unflatten(0, (k, len(x))) - centre) / epsilon
    return changes.square().sum(2).var(0)


class Repeatable:
    """A function and inputs of it, for which it must give the same outputs whenever it is asked.

    A random forward (dropout, noise inputs, batch norm in training mode) turns the penalty into noise of size 1/eps^4;
    one that drifts with the number of calls turns every derivative into nonsense.
    """

    def __init__(self, f: Callable[..., Tensor | Sequence[Tensor]], *inputs: Tensor):
        self.f, self.inputs = f, inputs
        self.first: Sequence[Tensor] | None = None

    @torch.no_grad()
    def check(self) -> None:
        """Raise InputError if the outputs differ from the first ones by more than rounding, or are not finite."""
        if self.first is None:
            self.first = self._outputs()
        for a, b in zip(self.first, self._outputs(), strict=True):
            if not torch.isfinite(a).all():
                raise InputError(
                    "the function returns NaN or infinite values, for which the Hessian Penalty is not defined: "
                    "check the function and its inputs"
                )
            if not (a - b).abs().max() <= 1e-6 * a.abs().max().clamp(min=1e-30):
                raise InputError(
                    "the function is not deterministic (two calls on the same input differ): switch off dropout, noise "
                    "inputs and training-mode batch norm"
                )

    def _outputs(self) -> Sequence[Tensor]:
        outputs = self.f(*self.inputs)
        return [outputs] if isinstance(outputs, Tensor) else outputs


def check_deterministic(f: Callable[..., Tensor | Sequence[Tensor]], *inputs: Tensor) -> None:
    """Call `f` twice on the same inputs and raise InputError if the outputs differ by more than rounding."""
    Repeatable(f, *inputs).check()
