"""Train a small class-conditional BigGAN-deep (Brock et al. 2019, https://arxiv.org/abs/1809.11096).

The generator is `pytorch-pretrained-biggan`'s, so what comes out is loaded like any published one. Hinge loss,
projection discriminator, orthogonal start, spectral norms in both, moving average of the generator's weights. One pass
of the generator serves both players' steps: the discriminator's step is taken first, on the pictures of that pass.

Step t draws its pictures, latents and classes from a stream of its own, so a run goes on exactly from its weights and
its optimisers' moments.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from direction_finder.errors import InputError
from direction_finder.pictures import as_images
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import normal, stream

MEASURED = 510  # pictures over which the norms' statistics are taken, at each truncation
POWER_STEPS = 50  # of the power iteration, after which a spectral norm is exact enough to be stored


def setting(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class BigGANConfig:
    """How a BigGAN-deep is built and trained. The defaults are those of `shapes-64`, which took 8,000 steps."""

    steps: int = setting(10000, "Optimisation steps.")
    batch_size: int = setting(32, "Pictures a step.")
    seed: int = setting(0, "Seed of weights, latents and the order of the pictures.")
    z_dim: int = setting(24, "Size of z, and of the class embedding.")
    channel_width: int = setting(16, "Channels of the last block; the first has 16 times as many.")
    discriminator_width: int = setting(24, "Channels of the discriminator's first layer.")
    learning_rate: float = setting(1.5e-4, "Adam's, for the generator.")
    discriminator_learning_rate: float = setting(4e-4, "Adam's, for the discriminator.")
    decay: float = setting(0.25, "Part of the steps, at the end, over which both learning rates fall to 0.")
    averaging: float = setting(0.999, "Decay of the moving average of the generator's weights, per step.")

    def check(self) -> None:
        """Raises InputError for a value out of range."""
        for name in ("steps", "batch_size", "z_dim", "channel_width", "discriminator_width", "learning_rate",
                     "discriminator_learning_rate"):  # fmt: skip
            if getattr(self, name) <= 0:
                raise InputError(f"--{name.replace('_', '-')} {getattr(self, name)}: expected a number above 0")
        for name in ("decay", "averaging"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"--{name} {getattr(self, name)}: expected a number from 0 up to 1, 1 not included")
        if self.channel_width < 4 or self.channel_width % 2:
            raise InputError(f"--channel-width {self.channel_width}: expected an even number from 4 on")


def package_config(config: BigGANConfig, resolution: int, class_names: list[str]) -> dict[str, Any]:
    """The `config.json` of the generator. Raises InputError for a resolution that is no power of two from 16 on."""
    doublings = {16: 2, 32: 3, 64: 4, 128: 5, 256: 6}.get(resolution)
    if doublings is None:
        raise InputError(f"pictures of {resolution} pixels: expected 16, 32, 64, 128 or 256")
    layers, channels = [[False, 16, 16]], 16
    for doubling in range(doublings):  # full width up to 8x8, then half as many channels at each doubling
        fewer = channels // 2 if doubling and channels > 2 else channels
        layers += [[True, channels, fewer], [False, fewer, fewer]]
        channels = fewer
    layers.pop()
    while channels > 1:
        layers.append([False, channels, channels // 2])
        channels //= 2
    return {
        "output_dim": resolution,
        "z_dim": config.z_dim,
        "class_embed_dim": config.z_dim,
        "channel_width": config.channel_width,
        "num_classes": len(class_names),
        "class_names": class_names,
        "layers": layers,
        "attention_layer_position": 5,  # at 16x16
        "eps": 1e-4,
        "n_stats": 51,
    }


class Players(nn.Module):
    """Generator, its moving average and discriminator: everything that a run trains."""

    def __init__(self, config: BigGANConfig, content: dict[str, Any]):
        # the package imports boto3 and scipy: only when a BigGAN is asked for
        from pytorch_pretrained_biggan import BigGAN
        from pytorch_pretrained_biggan import BigGANConfig as PackageConfig

        from direction_finder.generators.networks.biggan_deep_live import LiveBigGANDeep
        from direction_finder.generators.networks.projection import ProjectionDiscriminator

        super().__init__()
        self.generator = LiveBigGANDeep(BigGAN(PackageConfig.from_dict(content)))
        self.discriminator = ProjectionDiscriminator(
            content["output_dim"], config.discriminator_width, content["num_classes"]
        )
        _start(self, stream(config.seed, "weights"))
        self.to(memory_format=torch.channels_last)  # faster convolutions on CPUs and GPUs
        self.average = deepcopy(self.generator).requires_grad_(False)

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move the average towards the generator."""
        averages, now = list(self.average.parameters()), list(self.generator.parameters())
        torch._foreach_lerp_(averages, now, 1 - decay)


def _start(players: Players, rng: torch.Generator) -> None:
    for module in players.modules():
        weight = getattr(module, "weight_orig", getattr(module, "weight", None))
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            nn.init.orthogonal_(weight, generator=rng)
            if getattr(module, "bias", None) is not None:
                nn.init.zeros_(module.bias)
            for name in ("weight_u", "weight_v"):
                if hasattr(module, name):
                    vector = getattr(module, name)
                    vector.copy_(nn.functional.normalize(torch.randn(vector.shape, generator=rng), dim=0))
    norm = players.generator.model.generator.bn
    nn.init.ones_(norm.weight)
    nn.init.zeros_(norm.bias)


def train(
    images: np.ndarray,
    classes: np.ndarray,
    class_names: list[str],
    config: BigGANConfig,
    *,
    device: str = "cpu",
    on_step: OnStep | None = None,
    resume: dict[str, Tensor] | None = None,
    start: dict[str, Tensor] | None = None,
) -> Players:
    """Train on images (n, H, W, 3) of bytes with class numbers (n,).

    resume: the `state()` of a Progress, to go on exactly. start: a `snapshot`, to go on from with new optimisers.
    Progress carries `preview()`, pictures of the averaged generator: a row of 8 a class, (classes * 8, 3, H, W).
    Raises InputError for data or settings that do not fit, and when the losses are no longer finite.
    """
    config.check()
    if len(images) < config.batch_size:
        raise InputError(f"{len(images)} pictures are fewer than a batch of {config.batch_size}")
    content = package_config(config, images.shape[1], class_names)
    with torch.random.fork_rng(devices=[]):  # layers draw from the global stream when they are made
        players = Players(config, content).to(device).train()
    if start:
        _set_start(players, start)
    networks = (players.generator, players.discriminator)
    rates = (config.learning_rate, config.discriminator_learning_rate)
    optimisers = [
        torch.optim.Adam(network.parameters(), lr=rate, betas=(0.0, 0.999), eps=1e-8, fused=True)
        for network, rate in zip(networks, rates, strict=True)
    ]
    done = _restore(players, optimisers, resume) if resume else 0
    preview_z = normal(8, config.z_dim, stream(config.seed, "preview")).repeat(len(class_names), 1).to(device)
    preview_classes = torch.arange(len(class_names), device=device).repeat_interleave(8)
    pixels, labels = torch.from_numpy(images), torch.from_numpy(classes).long()
    for step in range(done + 1, config.steps + 1):
        rng = stream(config.seed, f"step {step}")
        chosen = torch.randint(len(pixels), (config.batch_size,), generator=rng)
        real = as_images(pixels[chosen].to(device))
        z = normal(config.batch_size, config.z_dim, rng).to(device)
        asked = torch.randint(len(class_names), (config.batch_size,), generator=rng).to(device)
        for optimiser, rate in zip(optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * _remaining(config, step - 1)
        values = _step(players, optimisers, real, labels[chosen].to(device), z, asked)
        if not np.isfinite(list(values.values())).all():
            raise InputError(
                f"the losses are not finite at step {step}: the training fell apart; go on from the last saved state "
                "with lower learning rates"
            )
        # a young average would hold on to the random start
        players.follow(min(config.averaging, (1 + step) / (10 + step)))
        progress = Progress(
            step,
            config.steps,
            "training",
            values,
            state=lambda step=step: _state(players, optimisers, step),
            preview=lambda: _preview(players, preview_z, preview_classes),
        )
        if on_step:
            on_step(progress)
        if progress.stopped:
            break
    return players


def _remaining(config: BigGANConfig, done: int) -> float:
    """The factor of the learning rates when this many steps are done."""
    falling = config.decay * config.steps
    return min(1.0, (config.steps - done) / falling) if falling else 1.0


def _step(
    players: Players, optimisers: list[torch.optim.Optimizer], real: Tensor, labels: Tensor, z: Tensor, asked: Tensor
) -> dict[str, float]:
    """One step of each player. Returns the losses and the discriminator's mean scores."""
    generator, discriminator = players.generator, players.discriminator
    drawn = generator(z, asked)
    scores = discriminator(torch.cat([real, drawn.detach()]), torch.cat([labels, asked]))
    of_real, of_drawn = scores.chunk(2)
    loss = relu(1 - of_real).mean() + relu(1 + of_drawn).mean()
    optimisers[1].zero_grad()
    loss.backward()
    optimisers[1].step()
    discriminator.requires_grad_(False)
    generator_loss = -discriminator(drawn, asked).mean()
    optimisers[0].zero_grad()
    generator_loss.backward()
    optimisers[0].step()
    discriminator.requires_grad_(True)
    means = torch.stack([loss.detach(), generator_loss.detach(), of_real.mean().detach(), of_drawn.mean().detach()])
    return dict(zip(("loss_d", "loss_g", "score_real", "score_drawn"), means.tolist(), strict=True))


@torch.no_grad()
def _preview(players: Players, z: Tensor, classes: Tensor) -> Tensor:
    return settled(players)(z, classes)


def settled(players: Players) -> nn.Module:
    """A copy of the averaged generator whose spectral norms have converged."""
    from torch.nn.utils.spectral_norm import SpectralNorm

    average = deepcopy(players.average).requires_grad_(False)
    for module in average.modules():
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm):
                hook.n_power_iterations = POWER_STEPS
                hook.compute_weight(module, do_power_iteration=True)
                hook.n_power_iterations = 1
    return average.eval()


@torch.no_grad()
def finished(players: Players, config: BigGANConfig, on_step: OnStep | None = None) -> dict[str, Tensor]:
    """The state dict that the package's `BigGAN` loads strictly: the average, with statistics for every truncation.

    The statistics at truncation t are those of z = t * N(0, I), the same latents scaled, classes in equal parts; so z ~
    N(0, I), as directions are learned with, has the statistics of truncation 1.
    """
    average = settled(players)
    model = average.model
    device = model.embeddings.weight.device
    z = normal(MEASURED, config.z_dim, stream(config.seed, "statistics")).to(device)
    classes = torch.arange(MEASURED, device=device) % model.config.num_classes
    last = model.config.n_stats - 1
    for row in range(last + 1):
        average(z * row / last, classes, row)
        if on_step:
            on_step(Progress(row + 1, last + 1, "measuring statistics"))
    return {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}


def snapshot(players: Players) -> dict[str, Tensor]:
    """What training can go on from, though not exactly: averaged generator and discriminator, in half precision."""
    return {
        name: tensor.half().cpu().contiguous()
        for name, tensor in players.state_dict().items()
        if not name.startswith("generator.") and "running_" not in name
    }


def _set_start(players: Players, start: dict[str, Tensor]) -> None:
    expected = snapshot(players)
    if {name: tensor.shape for name, tensor in start.items()} != {name: t.shape for name, t in expected.items()}:
        raise InputError("the snapshot is of other networks: give the settings that it was made with")
    players.load_state_dict({name: tensor.float() for name, tensor in start.items()}, strict=False)
    players.generator.load_state_dict(players.average.state_dict())


def _moments(players: Players, optimisers: list[torch.optim.Optimizer]) -> Iterator[tuple[str, Tensor, dict]]:
    """Each parameter's name, itself, and its optimiser's state."""
    for player, optimiser in zip(("generator", "discriminator"), optimisers, strict=True):
        for name, parameter in getattr(players, player).named_parameters():
            yield f"{player}.{name}", parameter, optimiser.state


def _state(players: Players, optimisers: list[torch.optim.Optimizer], step: int) -> dict[str, Tensor]:
    state = {f"players.{name}": tensor for name, tensor in players.state_dict().items() if "running_" not in name}
    for name, parameter, slots in _moments(players, optimisers):
        state |= {f"{moment}.{name}": tensor for moment, tensor in slots[parameter].items()}
    return {**{name: tensor.detach().clone() for name, tensor in state.items()}, "step": torch.tensor(step)}


def _restore(players: Players, optimisers: list[torch.optim.Optimizer], state: dict[str, Tensor]) -> int:
    weights = {name.removeprefix("players."): each for name, each in state.items() if name.startswith("players.")}
    try:
        missing = set(players.load_state_dict(weights, strict=False).missing_keys)
        for name, parameter, slots in _moments(players, optimisers):
            slots[parameter] = {"step": state[f"step.{name}"].clone()}
            for moment in ("exp_avg", "exp_avg_sq"):  # laid out in memory like the parameter, as fused Adam needs
                slots[parameter][moment] = torch.empty_like(parameter).copy_(state[f"{moment}.{name}"])
    except (KeyError, RuntimeError) as error:
        raise InputError(f"the state does not fit these networks ({str(error).splitlines()[0]})") from error
    if any("running_" not in name for name in missing):
        raise InputError(f"the state has no {min(missing)}")
    return int(state["step"])
