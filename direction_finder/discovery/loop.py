"""Learning an orthogonal matrix by stochastic gradients: the loop that the paper's method and OroJaR's share."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from direction_finder.cayley_adam import CayleyAdam
from direction_finder.directions import Directions
from direction_finder.discovery.configs import STARTS, LoopConfig
from direction_finder.discovery.share import ShareMeter
from direction_finder.discovery.space import (
    SearchSpace,
    finish,
    slices,
    strengths,
)
from direction_finder.discovery.tuning import Work
from direction_finder.errors import InputError
from direction_finder.files import file_sha256
from direction_finder.generators import Generator
from direction_finder.orthogonal import parametrise
from direction_finder.penalty import check_deterministic
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import normal, rademacher, stream

SHARE_EVERY = 10  # steps between two looks at the diagonal share


class Batch(NamedTuple):
    """What one step draws: z (n, dim), classes (n,), w = eta e_i (n, num), probes (num_probes, n, num)."""

    z: Tensor
    classes: Tensor
    w: Tensor
    probes: Tensor


Config = TypeVar("Config", bound=LoopConfig)
Penalise = Callable[[SearchSpace, Config, Tensor, Batch], Tensor]


def minimise(
    generator: Generator,
    config: Config,
    method: str,
    penalise: Penalise[Config],
    *,
    on_step: OnStep | None,
    resume: dict[str, Tensor] | None,
) -> Directions:
    """Minimise over A the mean of `penalise(space, config, rows, batch)`, which gives a penalty per sample.

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
    count = 0 if config.orthogonal == "none" else config.share_points
    meter = ShareMeter(space, config.at, count=count, seed=config.seed, max_batch=config.max_batch)
    step = _restore(resume, config, free, optimiser, rng, meter) if resume else 0

    stopped = False
    while step < config.steps and not stopped:
        rows = rows_of(free)
        leaf = rows.detach().to(generator.device).requires_grad_(True)
        batch = draw_batch(space, config, len(leaf), rng)
        if step == 0:
            check_deterministic(moved_outputs(space, leaf, config.at), batch.w[:1], batch.z[:1], batch.classes[:1])
        penalty = batch_penalty(space, config, leaf, batch, penalise)
        optimiser.zero_grad()
        rows.backward(_gradient(leaf).cpu())
        optimiser.param_groups[0]["lr"] = rate * (1 - step / config.steps) if config.schedule == "linear" else rate
        optimiser.step()
        step += 1
        values = {"penalty": penalty, "gradient_norm": float(_gradient(free).norm())}
        if step % SHARE_EVERY == 0:
            meter.update(2 * step * config.batch_size * config.rows_per_sample)
            values |= meter.of(rows_of(free).detach())
        if on_step:
            state = partial(_state, step, config.steps, free, optimiser, rng, meter)
            progress = Progress(step, config.steps, "learning", values, state)
            on_step(progress)
            stopped = progress.stopped and step < config.steps

    with torch.no_grad():
        rows = rows_of(free)
        rows = rows / rows.norm(dim=1, keepdim=True)
    recorded = dataclasses.replace(config, steps=step) if stopped else config
    if config.start not in STARTS:  # the file's digest in place of its path
        recorded = dataclasses.replace(recorded, start=f"sha256:{file_sha256(config.start)}")
    scores = None if stopped else strengths(space, rows, config, on_step)
    return finish(
        space,
        rows,
        recorded,
        method,
        scores=scores,
        orthonormal=config.orthogonal != "none",
        share=meter.of(rows) or None,
        reason=f"stopped at step {step} of {config.steps}" if stopped else f"all {step} steps",
    )


def gradient_work(penalise: Penalise[Config]) -> Work[Config]:
    """For `tuning`: the gradient of a batch that makes so many rows, at the starting matrix."""

    def work(space: SearchSpace, config: Config, rows: int) -> Tensor:
        samples = max(1, rows // config.rows_per_sample)
        config = dataclasses.replace(config, max_batch=samples * config.rows_per_sample, batch_size=samples)
        free, rows_of = parametrise(config.orthogonal, starting_rows(space, config))
        leaf = rows_of(free).detach().to(space.generator.device).requires_grad_(True)
        batch = draw_batch(space, config, len(leaf), stream(config.seed, "tuning"))
        batch_penalty(space, config, leaf, batch, penalise)
        return _gradient(leaf)

    return work


def make_optimiser(config: LoopConfig, free: Tensor) -> tuple[torch.optim.Optimizer, float]:
    """Adam, or Cayley ADAM for a matrix that stays on the Stiefel manifold, and the rate to begin with.

    Cayley ADAM's rate is the length of the whole matrix's step; times the root of its size it moves as Adam does.
    """
    if config.orthogonal == "stiefel":
        rate = config.learning_rate * free.numel() ** 0.5
        return CayleyAdam([free], lr=rate, betas=(config.momentum, 0.99)), rate
    return torch.optim.Adam([free], lr=config.learning_rate, betas=(config.momentum, 0.999)), config.learning_rate


def moved_outputs(space: SearchSpace, rows: Tensor, at: tuple[str, ...]) -> Callable[..., list[Tensor]]:
    """The penalised function of w: (w, z, classes) -> outputs of G(z + w A), a list as long as `at`."""
    return lambda w, z, classes: space.outputs(at, w @ rows, z, classes)


def starting_rows(space: SearchSpace, config: LoopConfig) -> Tensor:
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


def draw_batch(space: SearchSpace, config: LoopConfig, num: int, rng: torch.Generator) -> Batch:
    """Draw a step's random numbers, on the CPU, so that every device sees the same."""
    n = config.batch_size
    z = space.generator.sample(n, rng)
    classes = space.classes(n, rng)
    w = torch.zeros(n, num)
    picked = torch.randint(num, (n,), generator=rng)
    w[torch.arange(n), picked] = (2 * torch.rand(n, generator=rng) - 1) * config.eta
    probes = rademacher((config.num_probes, n, num), rng)
    return Batch(z, classes, w.to(z), probes.to(z))


def batch_penalty(space: SearchSpace, config: Config, rows: Tensor, batch: Batch, penalise: Penalise[Config]) -> float:
    """One batch's penalty; its gradient is left in `rows.grad`, summed over slices that keep to `max_batch`."""
    n, total = len(batch.z), 0.0
    for part in slices(n, config.max_batch // config.rows_per_sample):
        piece = Batch(batch.z[part], batch.classes[part], batch.w[part], batch.probes[:, part])
        loss = penalise(space, config, rows, piece).sum() / n
        loss.backward()
        total += loss.item()
    return total


def _gradient(tensor: Tensor) -> Tensor:
    """What a backward pass left in a tensor."""
    assert tensor.grad is not None
    return tensor.grad


def _state(
    step: int, steps: int, free: Tensor, optimiser: torch.optim.Optimizer, rng: torch.Generator, meter: ShareMeter
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
        "hessians": meter.hessians,
    }


def _restore(
    state: dict[str, Tensor],
    config: LoopConfig,
    free: Tensor,
    optimiser: torch.optim.Optimizer,
    rng: torch.Generator,
    meter: ShareMeter,
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
        meter.hessians = state["hessians"]
        return int(state["step"])
    except KeyError as error:
        raise InputError(f"the saved state lacks {error}: it is not that of such a run") from error
