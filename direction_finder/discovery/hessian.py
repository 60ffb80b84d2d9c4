"""The paper's method: learn an orthogonal matrix that makes the Hessian of the generator diagonal.

Peebles et al. 2020, "The Hessian Penalty", Sec. 4.4, https://arxiv.org/abs/2008.10599.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from direction_finder.cayley_adam import CayleyAdam
from direction_finder.directions import Directions
from direction_finder.discovery.space import ScoredConfig, SearchSpace, finish, option, slices, strengths
from direction_finder.errors import InputError
from direction_finder.files import file_sha256
from direction_finder.generators import IMAGE, Generator
from direction_finder.orthogonal import PARAMETRISATIONS, parametrise
from direction_finder.penalty import check_deterministic, hessian_penalty
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import normal, rademacher, stream

STARTS = ("random", "coordinates")


@dataclasses.dataclass(frozen=True)
class HessianConfig(ScoredConfig):
    """Settings of the paper's loop. The defaults are those of its BigGAN runs, 50,000 steps of 96 samples."""

    steps: int = option(50_000, "Optimisation steps.", least=1)
    batch_size: int = option(96, "Samples per step.", least=1)
    learning_rate: float = option(0.01, "Learning rate of Adam.", above=0)
    schedule: str = option(
        "constant", "Learning rate: constant, or falling linearly to 0.", choices=("constant", "linear")
    )
    num_probes: int = option(2, "Rademacher probes per sample (k).", least=2)
    epsilon: float = option(0.1, "Finite-difference step.", above=0)
    eta: float = option(5.0, "Points are sampled at z + eta A e_i with eta uniform in [-ETA, ETA].", least=0)
    reduction: str = option("mean", "Over the entries of an output: mean, or max per sample.", choices=("mean", "max"))
    at: tuple[str, ...] = option(
        (IMAGE,), "Penalised outputs: the image or activations; repeat for a sum over several."
    )
    orthogonal: str = option(
        "gram_schmidt", "How A is kept orthogonal; stiefel: by Cayley ADAM.", choices=tuple(PARAMETRISATIONS)
    )
    start: str = option("random", "random, coordinates, or a directions file to start from.")

    changeable = ("steps",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_batch < 2 * self.num_probes:
            raise InputError(
                f"max_batch is {self.max_batch}: one sample takes 2 * num_probes = {2 * self.num_probes} rows, "
                "expected at least that"
            )

    def check(self, generator: Generator) -> None:
        super().check(generator)
        generator.check_activations(self.at)
        starting_rows(SearchSpace(generator, self), self)


def find(
    generator: Generator,
    config: HessianConfig,
    *,
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
) -> Directions:
    """Minimise over A the Hessian Penalty of w -> G(z + A w), taken with respect to w at w = eta e_i.

    Only A gets gradients. All searched dimensions are learned (fewer would pick directions that do nothing); then the
    `num_directions` strongest are kept. `resume`: the tensors of `Progress.state()`; the result is then, byte for byte,
    that of a run that was never interrupted. Stopped by `on_step`: the directions so far, not scored.
    """
    config.check(generator)
    space = SearchSpace(generator, config)
    # the matrix is small: it stays on the CPU, where a factorisation is quick and the same everywhere
    free, rows_of = parametrise(config.orthogonal, starting_rows(space, config))
    free.requires_grad_(True)
    optimiser, rate = make_optimiser(config, free)
    rng = stream(config.seed, "learning")
    step = _restore(resume, config, free, optimiser, rng) if resume else 0

    stopped = False
    while step < config.steps and not stopped:
        rows = rows_of(free)
        leaf = rows.detach().to(generator.device).requires_grad_(True)
        batch = draw_batch(space, config, len(leaf), rng)
        if step == 0:
            check_deterministic(moved_outputs(space, leaf, config.at), batch.w[:1], batch.z[:1], batch.classes[:1])
        penalty = batch_penalty(space, config, leaf, batch)
        optimiser.zero_grad()
        rows.backward(leaf.grad.cpu())
        optimiser.param_groups[0]["lr"] = rate * (1 - step / config.steps) if config.schedule == "linear" else rate
        optimiser.step()
        step += 1
        if on_step:
            values = {"penalty": penalty, "gradient_norm": float(free.grad.norm())}
            progress = Progress(
                step, config.steps, "learning", values, partial(_state, step, config.steps, free, optimiser, rng)
            )
            on_step(progress)
            stopped = progress.stopped and step < config.steps

    with torch.no_grad():
        rows = rows_of(free)
        rows = rows / rows.norm(dim=1, keepdim=True)
    recorded = dataclasses.replace(config, steps=step) if stopped else config
    if config.start not in STARTS:  # the file's digest in place of its path
        recorded = dataclasses.replace(recorded, start=f"sha256:{file_sha256(config.start)}")
    scores = None if stopped else strengths(space, rows, config, on_step)
    return finish(space, rows, recorded, "hessian", scores=scores, orthonormal=config.orthogonal != "none")


def make_optimiser(config: HessianConfig, free: Tensor) -> tuple[torch.optim.Optimizer, float]:
    """Adam, or Cayley ADAM for a matrix that stays on the Stiefel manifold, and the rate to begin with.

    Cayley ADAM's rate is the length of the whole matrix's step; times the root of its size it moves as Adam does.
    """
    if config.orthogonal == "stiefel":
        rate = config.learning_rate * free.numel() ** 0.5
        return CayleyAdam([free], lr=rate), rate
    return torch.optim.Adam([free], lr=config.learning_rate), config.learning_rate


def moved_outputs(space: SearchSpace, rows: Tensor, at: tuple[str, ...]) -> Callable[..., list[Tensor]]:
    """The penalised function of w: (w, z, classes) -> outputs of G(z + w A), a list as long as `at`."""
    return lambda w, z, classes: space.outputs(at, w @ rows, z, classes)


def starting_rows(space: SearchSpace, config: HessianConfig) -> Tensor:
    """The matrix to start from (size, size): Kaiming normal as in the published code, the axes, or those of a file."""
    size = space.size
    if config.start == "coordinates":
        rows = torch.eye(size)
    elif config.start == "random":
        rows = normal(size, size, stream(config.seed, "starting rows")) * (2 / size) ** 0.5
    else:
        vectors = Directions.load(config.start).vectors
        if vectors.shape == (size, space.generator.dim):
            vectors = vectors[:, space.first : space.first + size].contiguous()
        if vectors.shape != (size, size):
            raise InputError(
                f"start {config.start}: {len(vectors)} directions of {vectors.shape[1]} dimensions; the search needs "
                f"{size} directions within its {size} dimensions"
            )
        rows = vectors.clone()
    return rows


class Batch(NamedTuple):
    """What one step draws: z (n, dim), classes (n,), w = eta e_i (n, num), probes (num_probes, n, num)."""

    z: Tensor
    classes: Tensor
    w: Tensor
    probes: Tensor


def draw_batch(space: SearchSpace, config: HessianConfig, num: int, rng: torch.Generator) -> Batch:
    """Draw a step's random numbers, on the CPU, so that every device sees the same."""
    n = config.batch_size
    z = space.generator.sample(n, rng)
    classes = space.classes(n, rng)
    w = torch.zeros(n, num)
    picked = torch.randint(num, (n,), generator=rng)
    w[torch.arange(n), picked] = (2 * torch.rand(n, generator=rng) - 1) * config.eta
    probes = rademacher((config.num_probes, n, num), rng)
    return Batch(z, classes, w.to(z), probes.to(z))


def batch_penalty(space: SearchSpace, config: HessianConfig, rows: Tensor, batch: Batch) -> float:
    """One batch's penalty; its gradient is left in `rows.grad`, summed over slices that keep to `max_batch`."""
    f = moved_outputs(space, rows, config.at)
    n, total = len(batch.z), 0.0
    for part in slices(n, config.max_batch // (2 * config.num_probes)):
        z, classes, w = batch.z[part], batch.classes[part], batch.w[part]
        per_output = hessian_penalty(f, w, epsilon=config.epsilon, probes=batch.probes[:, part], context=(z, classes))
        entries = [values.flatten(1) for values in per_output]
        per_sample = sum(values.amax(1) if config.reduction == "max" else values.mean(1) for values in entries)
        loss = per_sample.sum() / n
        loss.backward()
        total += loss.item()
    return total


def _state(
    step: int, steps: int, free: Tensor, optimiser: torch.optim.Optimizer, rng: torch.Generator
) -> dict[str, Tensor]:
    moments = optimiser.state[free]
    return {
        "step": torch.tensor(step),
        "steps": torch.tensor(steps),
        "free": free.detach().clone(),
        "adam_step": moments["step"].clone(),
        "adam_mean": moments["exp_avg"].clone(),
        "adam_square": moments["exp_avg_sq"].clone(),
        "rng": rng.get_state(),
    }


def _restore(
    state: dict[str, Tensor],
    config: HessianConfig,
    free: Tensor,
    optimiser: torch.optim.Optimizer,
    rng: torch.Generator,
) -> int:
    try:
        if config.schedule == "linear" and int(state["steps"]) != config.steps:
            raise InputError(f"steps {config.steps}: the linear schedule was laid out for {int(state['steps'])} steps")
        if state["free"].shape != free.shape:
            raise InputError(f"the state's matrix is {tuple(state['free'].shape)}, expected {tuple(free.shape)}")
        with torch.no_grad():
            free.copy_(state["free"])
        optimiser.state[free] = {
            "step": state["adam_step"].clone(),
            "exp_avg": state["adam_mean"].clone(),
            "exp_avg_sq": state["adam_square"].clone(),
        }
        rng.set_state(state["rng"])
        return int(state["step"])
    except KeyError as error:
        raise InputError(f"the saved state lacks {error}: it is not that of a hessian run") from error
