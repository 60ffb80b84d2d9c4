"""Train a small class-conditional BigGAN-deep (Brock et al. 2019, https://arxiv.org/abs/1809.11096).

The generator is `pytorch-pretrained-biggan`'s, so what comes out is loaded like any published one. Hinge loss,
projection discriminator, orthogonal start, spectral norms in both, moving average of the generator's weights. One pass
of the generator serves both players' steps: the discriminator's step is taken first, on the pictures of that pass.

Step t draws its pictures, latents and classes from a stream of its own, so a run goes on exactly from its weights and
its optimisers' moments.
"""

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from direction_finder.errors import Diverged, InputError
from direction_finder.pictures import as_images
from direction_finder.progress import OnStep, Progress
from direction_finder.randomness import normal, stream
from direction_finder.training.biggan_config import BigGANConfig
from direction_finder.training.state import Optimisers, follow, restore, start_from, state

MEASURED = 510  # pictures over which the norms' statistics are taken, at each truncation
POWER_STEPS = 50  # of the power iteration, after which a spectral norm is exact enough to be stored


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
    Raises InputError for data or settings that do not fit, Diverged when the losses are no longer finite.
    """
    if len(images) < config.batch_size:
        raise InputError(f"{len(images)} pictures are fewer than a batch of {config.batch_size}")
    content = package_config(config, images.shape[1], class_names)
    with torch.random.fork_rng(devices=[]):  # layers draw from the global stream when they are made
        players = Players(config, content).to(device).train()
    if start:
        start_from(players, start)
    rates = {"generator": config.learning_rate, "discriminator": config.discriminator_learning_rate}
    optimisers = {
        name: torch.optim.Adam(getattr(players, name).parameters(), lr=rate, betas=(0.0, 0.999), eps=1e-8, fused=True)
        for name, rate in rates.items()
    }
    done = restore(players, optimisers, resume) if resume else 0
    if done > config.steps:
        raise InputError(f"`steps` {config.steps}: the run is at step {done} already")
    preview_z = normal(8, config.z_dim, stream(config.seed, "preview")).repeat(len(class_names), 1).to(device)
    preview_classes = torch.arange(len(class_names), device=device).repeat_interleave(8)
    pixels, labels = torch.from_numpy(images), torch.from_numpy(classes).long()
    for step in range(done + 1, config.steps + 1):
        rng = stream(config.seed, f"step {step}")
        chosen = torch.randint(len(pixels), (config.batch_size,), generator=rng)
        real = as_images(pixels[chosen].to(device))
        z = normal(config.batch_size, config.z_dim, rng).to(device)
        asked = torch.randint(len(class_names), (config.batch_size,), generator=rng).to(device)
        for name, rate in rates.items():
            optimisers[name].param_groups[0]["lr"] = rate * _remaining(config, step - 1)
        values = _step(players, optimisers, real, labels[chosen].to(device), z, asked)
        if not np.isfinite(list(values.values())).all():
            raise Diverged(
                f"the losses are not finite at step {step}: the training fell apart; go on from the last saved state "
                "with lower learning rates"
            )
        # a young average would hold on to the random start
        follow(players.average, players.generator, min(config.averaging, (1 + step) / (10 + step)))
        progress = Progress(
            step,
            config.steps,
            "training",
            values,
            state=lambda step=step: state(players, optimisers, step),
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
    players: Players, optimisers: Optimisers, real: Tensor, labels: Tensor, z: Tensor, asked: Tensor
) -> dict[str, float]:
    """One step of each player. Returns the losses and the discriminator's mean scores."""
    generator, discriminator = players.generator, players.discriminator
    drawn = generator(z, asked)
    scores = discriminator(torch.cat([real, drawn.detach()]), torch.cat([labels, asked]))
    of_real, of_drawn = scores.chunk(2)
    loss = relu(1 - of_real).mean() + relu(1 + of_drawn).mean()
    optimisers["discriminator"].zero_grad()
    loss.backward()
    optimisers["discriminator"].step()
    discriminator.requires_grad_(False)
    generator_loss = -discriminator(drawn, asked).mean()
    optimisers["generator"].zero_grad()
    generator_loss.backward()
    optimisers["generator"].step()
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
