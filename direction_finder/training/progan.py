"""Train a ProGAN (Karras et al. 2018, https://arxiv.org/abs/1710.10196), with the Hessian Penalty if asked.

WGAN-GP with drift, Adam, networks that grow level by level, moving average of the generator's weights. The penalty
(Peebles et al. 2020, https://arxiv.org/abs/2008.10599) is taken of z -> activations after their pixel norm, summed over
layers, and added to the generator's loss; InfoGAN's guess of z (Chen et al. 2016) to both losses. One pass of the
generator serves both players' steps: the critic's step is taken first, on the pictures of that pass.

Step t draws its pictures and latents from a stream of its own, and its place in the growth and its penalty's weight
follow from t, so a run goes on exactly from its weights and its optimisers' moments.
"""

import math
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from direction_finder.errors import InputError
from direction_finder.generators.networks.progan import GROUP, Critic, EqualisedConv, ProGAN, double, pixel_norm
from direction_finder.penalty import hessian_penalty
from direction_finder.pictures import as_images
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import normal, stream
from direction_finder.settings import check_options, option
from direction_finder.training.state import Optimisers, follow, restore, start_from, state

GRADIENT_PENALTY, DRIFT = 10.0, 1e-3
PREVIEWED = torch.linspace(-2, 2, 8)  # each component of z is set to these
FLAT, FLAT_STEPS = 1e-5, 200  # a critic whose scores differ by less for so many steps in a row has collapsed


@dataclass(frozen=True)
class ProGANConfig:
    """How a ProGAN is built and trained. A kimg is a thousand real pictures shown to the critic."""

    kimg: float = option(600.0, "Thousands of pictures to show in all.", above=0)
    fade_kimg: float = option(30.0, "Thousands of pictures over which a new level fades in.", above=0)
    stable_kimg: float = option(30.0, "Thousands of pictures shown to a level before the next one begins.", above=0)
    batch_size: int = option(16, "Pictures a step at full resolution; twice as many at each level below.", least=1)
    largest_batch: int = option(64, "Pictures a step at most.", least=1)
    seed: int = option(0, "Seed of weights, latents and the order of the pictures.", least=0)
    z_dim: int = option(12, "Size of z.", least=1)
    width: int = option(32, "Channels at full resolution; twice as many at each level below.", least=1)
    max_width: int = option(64, "Channels at most.", least=1)
    learning_rate: float = option(1e-3, "Adam's, for both networks.", above=0)
    average_kimg: float = option(10.0, "Half-life of the moving average of the generator's weights.", above=0)
    mirror: bool = option(False, "Mirror every other picture.")
    codes: int = option(0, "InfoGAN: the critic guesses so many components of z.", least=0)
    code_weight: float = option(1.0, "InfoGAN: weight of the guess.", least=0)
    penalty_weight: float = option(0.0, "Weight of the Hessian Penalty.", least=0)
    ramp_kimg: float = option(0.0, "Thousands of pictures over which that weight rises from 0.", least=0)
    penalty_layers: tuple[int, int] | None = option(
        None, "Layers whose activations are penalised, e.g. 1-6.  [default: all but the last resolution's]"
    )
    penalty_reduction: str = option(
        "max",
        "Over the entries of an activation: max per sample; batch-max, over the batch too; mean.",
        choices=("max", "batch-max", "mean"),
    )
    penalty_every: int = option(1, "Take the penalty every so many steps, times as heavy.", least=1)
    num_probes: int = option(2, "Random probes of the penalty.", least=2)
    epsilon: float = option(0.1, "Step of the penalty's finite difference.", above=0)

    def __post_init__(self) -> None:
        check_options(self)
        if self.codes > self.z_dim:
            raise InputError(f"codes is {self.codes}: z has {self.z_dim} components")
        for name in ("batch_size", "largest_batch"):
            if getattr(self, name) % GROUP:  # the critic compares pictures within groups, real ones with real ones
                raise InputError(f"{name} is {getattr(self, name)}: expected a multiple of {GROUP}")

    def batch_at(self, level: int, levels: int) -> int:
        return min(self.batch_size * 2 ** (levels - 1 - level), self.largest_batch)

    def widths(self, levels: int) -> list[int]:
        """Channels at 4x4, 8x8, ..."""
        return [min(self.width * 2 ** (levels - 1 - level), self.max_width) for level in range(levels)]


@dataclass(frozen=True)
class Phase:
    """Some steps at one level, during which it fades in or does not."""

    level: int
    fading: bool
    steps: int
    batch: int


@dataclass(frozen=True)
class Place:
    """Where a step is: how far the networks have grown, its batch, and how many pictures were shown before it."""

    grown: float
    batch: int
    shown: int


def plan(config: ProGANConfig, levels: int, grown: bool) -> list[Phase]:
    """The phases of a run; `grown`: everything at the last level. Raises InputError if kimg do not suffice to grow."""

    def phase(level: int, kimg: float, fading: bool = False) -> Phase:
        batch = config.batch_at(level, levels)
        return Phase(level, fading, math.ceil(kimg * 1000 / batch), batch)

    phases = []
    for level in range(0 if grown else levels - 1):
        phases += [phase(level, config.fade_kimg, True)] if level else []
        phases.append(phase(level, config.stable_kimg))
    if levels > 1 and not grown:
        phases.append(phase(levels - 1, config.fade_kimg, True))
    left = config.kimg - sum(each.steps * each.batch for each in phases) / 1000
    if left <= 0:
        raise InputError(f"kimg is {config.kimg:g}: growing takes {config.kimg - left:g} alone")
    return [*phases, phase(levels - 1, left)]


def place(phases: list[Phase], step: int) -> Place:
    """Where step number `step` (from 1) is."""
    shown, before = 0, step - 1
    for each in phases:
        if before < each.steps:
            grown = each.level - 1 + (before + 1) / each.steps if each.fading else float(each.level)
            return Place(grown, each.batch, shown + before * each.batch)
        before -= each.steps
        shown += each.steps * each.batch
    raise IndexError(step)


class Players(nn.Module):
    """Generator, its moving average and critic: everything that a run trains."""

    def __init__(self, config: ProGANConfig, levels: int):
        super().__init__()
        widths = config.widths(levels)
        self.generator = ProGAN(config.z_dim, widths)
        self.critic = Critic(widths, config.codes)
        rng = stream(config.seed, "weights")
        for module in self.modules():
            if isinstance(module, EqualisedConv):
                nn.init.normal_(module.weight, generator=rng)
        self.to(memory_format=torch.channels_last)  # faster convolutions on CPUs and GPUs
        self.average = deepcopy(self.generator).requires_grad_(False)


def levels_of(resolution: int) -> int:
    """How many levels lead to this resolution. Raises InputError if it is no power of two from 8 to 1024."""
    if resolution not in (8, 16, 32, 64, 128, 256, 512, 1024):
        raise InputError(f"pictures of {resolution} pixels: expected 8, 16, 32, 64, ... 1024")
    return resolution.bit_length() - 2


def train(
    images: np.ndarray,
    config: ProGANConfig,
    *,
    device: str = "cpu",
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
    start: dict[str, Tensor] | None = None,
    grown: bool = False,
) -> Players:
    """Train on images (n, H, W, 3) of bytes.

    resume: the `state()` of a Progress, to go on exactly. start: a `snapshot`, to go on from with new optimisers.
    grown: the networks are fully grown from the first step, as they must be with `start`.
    Progress carries `weights()`, the averaged generator in genforce's layout, and `preview()`, its pictures: a row of 8
    samples, then a row for each component of z, set to -2 ... 2.
    Raises InputError for data or settings that do not fit, and when the training falls apart.
    """
    levels = levels_of(images.shape[1])
    if len(images) < config.batch_at(levels - 1, levels):
        raise InputError(f"{len(images)} pictures are fewer than a batch of {config.batch_at(levels - 1, levels)}")
    phases = plan(config, levels, grown)
    layers = penalised(config, levels)
    with torch.random.fork_rng(devices=[]):  # layers draw from the global stream when they are made
        players = Players(config, levels).to(device).train()
    if start:
        start_from(players, start)
    optimisers = {
        name: torch.optim.Adam(
            getattr(players, name).parameters(), lr=config.learning_rate, betas=(0.0, 0.99), eps=1e-8, fused=True
        )
        for name in ("generator", "critic")
    }
    done = restore(players, optimisers, resume) if resume else 0
    total = sum(phase.steps for phase in phases)
    if done > total:
        raise InputError(f"--kimg {config.kimg:g} is {total} steps: the run is at step {done} already")
    pixels = torch.from_numpy(images)
    preview_z = _preview_latents(config).to(device)
    flat = 0
    for step in range(done + 1, total + 1):
        here = place(phases, step)
        rng = stream(config.seed, f"step {step}")
        chosen = torch.randint(len(pixels), (here.batch,), generator=rng)
        mirrored = torch.rand(here.batch, generator=rng) < 0.5 * config.mirror
        real = as_images(pixels[chosen])
        real = torch.where(mirrored[:, None, None, None], real.flip(3), real).to(device)
        values, spread = _step(
            players,
            optimisers,
            config,
            at_level(real, here.grown),
            here,
            rng,
            penalty_weight(config, step, here),
            layers,
        )
        flat = flat + 1 if spread < FLAT else 0
        if not np.isfinite(list(values.values())).all() or flat >= FLAT_STEPS:
            what = "the critic's scores are all the same" if flat else "the losses are not finite"
            raise InputError(
                f"{what} at step {step}: the training fell apart; go on from the last saved state with a lower "
                "learning rate or a smaller penalty"
            )
        follow(players.average, players.generator, 0.5 ** (here.batch / (1000 * config.average_kimg)))
        progress = Progress(
            step,
            total,
            "training",
            {"kimg": (here.shown + here.batch) / 1000, "grown": here.grown, **values},
            state=lambda step=step: state(players, optimisers, step),
            preview=lambda here=here: preview(players.average, preview_z, here.grown, levels),
            weights=lambda here=here: weights(players, here.grown),
        )
        if on_step:
            on_step(progress)
        if progress.stopped:
            break
    return players


def penalised(config: ProGANConfig, levels: int) -> list[int]:
    """Numbers of the layers that are penalised, from 1. Raises InputError for layers that there are not."""
    first, last = config.penalty_layers or (1, max(1, 2 * (levels - 1)))
    if not 1 <= first <= last <= 2 * levels:
        raise InputError(f"penalty_layers {first}-{last}: the generator has layers 1 to {2 * levels}")
    return list(range(first, last + 1))


def penalty_weight(config: ProGANConfig, step: int, here: Place) -> float:
    """The weight of the penalty at a step: rising from 0, and 0 at the steps that leave it out."""
    if step % config.penalty_every:
        return 0.0
    risen = min(1.0, here.shown / (1000 * config.ramp_kimg)) if config.ramp_kimg else 1.0
    return config.penalty_weight * config.penalty_every * risen


def at_level(images: Tensor, grown: float) -> Tensor:
    """Images at the resolution of the last level begun, as smooth as the generator's are while it fades in."""
    top = math.ceil(grown)
    images = avg_pool2d(images, images.shape[-1] // (4 * 2**top))
    return images if grown == top else torch.lerp(double(avg_pool2d(images, 2)), images, 1 - (top - grown))


def _step(
    players: Players,
    optimisers: Optimisers,
    config: ProGANConfig,
    real: Tensor,
    here: Place,
    rng: torch.Generator,
    weight: float,
    layers: list[int],
) -> tuple[dict[str, float], float]:
    """One step of each player. Returns figures of it, and the spread of the critic's scores."""
    generator, critic = players.generator, players.critic
    z = normal(here.batch, config.z_dim, rng).to(real.device)
    codes = pixel_norm(z)[:, : config.codes]  # the norm is what the generator sees; its length cannot be guessed
    drawn = generator(z, here.grown)
    scores, guessed = critic(torch.cat([real, drawn.detach()]), here.grown)
    of_real, of_drawn = scores.chunk(2)
    slope = gradient_penalty(critic, real, drawn.detach(), here.grown, rng)
    missed = (guessed[here.batch :] - codes).square().mean() if config.codes else scores.new_zeros(())
    distance = of_real.mean() - of_drawn.mean()
    loss = -distance + GRADIENT_PENALTY * slope + DRIFT * of_real.square().mean() + config.code_weight * missed
    optimisers["critic"].zero_grad()
    loss.backward()
    optimisers["critic"].step()

    critic.requires_grad_(False)
    scores_after, guessed = critic(drawn, here.grown)
    generator_loss = -scores_after.mean()
    if config.codes:
        generator_loss = generator_loss + config.code_weight * (guessed - codes).square().mean()
    values = {"distance": distance, "slope": slope, "loss_g": -scores_after.mean()}
    if config.codes:
        values["missed"] = missed
    if weight:
        penalty = penalty_of(generator, z, here.grown, layers, config, rng)
        generator_loss = generator_loss + weight * penalty
        values["penalty"] = penalty
    optimisers["generator"].zero_grad()
    generator_loss.backward()
    optimisers["generator"].step()
    critic.requires_grad_(True)
    found = torch.stack([*(value.detach() for value in values.values()), scores.detach().std()]).tolist()
    return {**dict(zip(values, found, strict=False)), "penalty_weight": weight}, found[-1]


def gradient_penalty(critic: nn.Module, real: Tensor, drawn: Tensor, grown: float, rng: torch.Generator) -> Tensor:
    """Mean (|gradient| - 1)^2 of the critic at random points between real and drawn images (Gulrajani et al. 2017,
    https://arxiv.org/abs/1704.00028)."""
    between = torch.rand(len(real), 1, 1, 1, generator=rng).to(real)
    mixed = torch.lerp(real, drawn, between).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(mixed, grown)[0].sum(), mixed, create_graph=True)
    # away from 0, where the root has no slope
    return ((gradient.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1).square().mean()


def penalty_of(
    generator: ProGAN, z: Tensor, grown: float, layers: list[int], config: ProGANConfig, rng: torch.Generator
) -> Tensor:
    """The Hessian Penalty of z -> activations, summed over layers; a layer that fades in counts as far as it has."""
    top = math.ceil(grown)
    present = [layer for layer in layers if (layer - 1) // 2 <= top]
    if not present:
        return z.new_zeros(())

    def activations(rows: Tensor) -> list[Tensor]:
        deepest = islice(generator.stages(rows, grown), present[-1])
        return [tensor for number, (_, tensor) in enumerate(deepest, start=1) if number in present]

    penalties = hessian_penalty(activations, z, rng=rng, num_probes=config.num_probes, epsilon=config.epsilon)
    faded = [min(1.0, grown - (layer - 1) // 2 + 1) for layer in present]
    return torch.stack(
        [w * reduced(each, config.penalty_reduction) for w, each in zip(faded, penalties, strict=True)]
    ).sum()


def reduced(penalties: Tensor, reduction: str) -> Tensor:
    """One number from the penalties of an activation's entries (batch, ...)."""
    if reduction == "mean":
        return penalties.mean()
    return penalties.max() if reduction == "batch-max" else penalties.flatten(1).amax(1).mean()


def weights(players: Players, grown: float) -> dict[str, Tensor]:
    """The averaged generator's state dict, as far as it has grown."""
    found = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in players.average.state_dict().items()}
    return {**found, "lod": torch.tensor(len(players.average.widths) - 1 - grown)}


def _preview_latents(config: ProGANConfig) -> Tensor:
    z = normal(len(PREVIEWED), config.z_dim, stream(config.seed, "preview"))
    swept = z[:1].repeat(config.z_dim, len(PREVIEWED), 1)  # (component, value, z_dim)
    for component in range(config.z_dim):
        swept[component, :, component] = PREVIEWED
    return torch.cat([z, swept.flatten(0, 1)])


@torch.no_grad()
def preview(generator: ProGAN, z: Tensor, grown: float, levels: int) -> Tensor:
    images = torch.cat([generator(part, grown) for part in z.split(32)])
    for _ in range(levels - 1 - math.ceil(grown)):
        images = double(images)
    return images
