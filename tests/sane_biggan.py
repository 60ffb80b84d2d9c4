"""A BigGAN-deep with random weights that behaves like a trained one, for tests and timings.

A freshly initialised one does not: its spectral norms have not converged, its batch-norm statistics are the same for
every truncation, and its images are NaN or saturated. Here the power iterations are run to convergence, the
statistics are measured on samples of each truncation, and the last layer is scaled so that images fill [-1, 1].

    python -m tests.sane_biggan FOLDER      # a full-size biggan-deep-128: config.json, pytorch_model.bin
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

import torch
from pytorch_pretrained_biggan import BigGAN, BigGANConfig
from pytorch_pretrained_biggan.model import BigGANBatchNorm
from torch.nn.utils.spectral_norm import SpectralNorm

SMALL = {
    "output_dim": 32,
    "z_dim": 12,
    "class_embed_dim": 12,
    "channel_width": 8,
    "num_classes": 5,
    "layers": [[False, 16, 16], [True, 16, 8], [True, 8, 4], [True, 4, 2], [False, 2, 1]],
    "attention_layer_position": 3,
    "eps": 1e-4,
    "n_stats": 51,
}


@torch.no_grad()
def sane_biggan(config: dict | None = None, seed: int = 0, batch: int = 32, every: int = 1) -> BigGAN:
    """A package model in eval mode. every: measure each how-many-th truncation; the rows between are interpolated."""
    settings = BigGANConfig.from_dict(config or SMALL)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = BigGAN(settings).eval()
        model.embeddings.weight.normal_(std=0.5)
        model.generator.bn.weight.fill_(1)
        model.generator.bn.bias.zero_()
        for module in model.modules():
            if hasattr(module, "gamma"):
                module.gamma.fill_(0.5)
            for hook in module._forward_pre_hooks.values():
                if isinstance(hook, SpectralNorm):
                    hook.n_power_iterations = 50
                    hook.compute_weight(module, do_power_iteration=True)
                    hook.n_power_iterations = 1
        _calibrate(model, batch, every)
    return model


def _calibrate(model: BigGAN, batch: int, every: int) -> None:
    settings = model.config
    norms = [module for module in model.modules() if isinstance(module, BigGANBatchNorm)]
    last = settings.n_stats - 1
    measured = sorted({*range(0, last + 1, every), last})
    for row in measured:
        truncation = max(row, 1) / last

        def measure(module, inputs, row=row):
            module.running_means[row] = inputs[0].mean((0, 2, 3))
            module.running_vars[row] = inputs[0].var((0, 2, 3)) + 1e-3

        hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
        z = torch.nn.init.trunc_normal_(torch.empty(batch, settings.z_dim), a=-2, b=2) * truncation
        classes = torch.nn.functional.one_hot(torch.arange(batch) % settings.num_classes, settings.num_classes)
        model(z, classes.float(), row / last if row else 1e-9)
        for hook in hooks:
            hook.remove()
    for below, above in pairwise(measured):
        for row in range(below + 1, above):
            for table in (table for norm in norms for table in (norm.running_means, norm.running_vars)):
                table[row] = torch.lerp(table[below], table[above], (row - below) / (above - below))
    before = []
    hook = model.generator.tanh.register_forward_pre_hook(lambda _, inputs: before.append(inputs[0]))
    model(torch.randn(4, settings.z_dim), torch.eye(settings.num_classes)[:4], 1.0)
    hook.remove()
    model.generator.bn.weight.mul_(0.6 / before[0].std())
    model.generator.conv_to_rgb.bias[:3] = 0


def write_folder(folder: Path, config: dict, model: BigGAN) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(model.state_dict(), folder / "pytorch_model.bin")


if __name__ == "__main__":
    full = BigGANConfig().to_dict()
    write_folder(Path(sys.argv[1]), full, sane_biggan(full, batch=8, every=5))
