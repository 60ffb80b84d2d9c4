"""Compare autoencoders at equal budgets: the table of docs/st-rkm.md and the curves of docs/implicit-vae.md.

    python -m benchmarks.autoencoders --fashion /usr/share/datasets/fashion-mnist --workers 2

Every run is one process of one thread and leaves a JSON file in outputs/autoencoders/; runs that are there are not made
again. The settings of each model are chosen on seed 100, by the mean rank of the sliced Wasserstein distance of samples
and, where factors are known, of the disentanglement read by forests; the table has seeds 0 to 4.
"""

import dataclasses
import functools
import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor

from direction_finder.datasets import read_images
from direction_finder.diagonalisation import joint, unit_norm
from direction_finder.errors import Diverged
from direction_finder.files import replacing, write_json
from direction_finder.generators.autoencoder import Autoencoder
from direction_finder.generators.base import as_rgb
from direction_finder.metrics.dci import REGRESSORS, dci
from direction_finder.metrics.features import lite0
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.metrics.sliced import sliced_distances
from direction_finder.parallel import in_processes
from direction_finder.randomness import normal, stream
from direction_finder.scenes import draw, render_image
from direction_finder.scenes.sprites import FAMILY, SPRITES
from direction_finder.training import vae
from direction_finder.training.autoencoder import AutoencoderTrainer, gaussian
from direction_finder.training.autoencoder_config import AutoencoderConfig, StRKMConfig, VAEConfig
from direction_finder.training.loop import run
from direction_finder.training.st_rkm import StRKMTrainer

FASHION = "fashion-mnist"
DATA = {FASHION: 10, SPRITES: 5}  # the size of the latents, as published for MNIST and dSprites
STEPS, BATCH = 1500, 64
SPRITE_COUNT, READ = 10_000, 4_000  # sprites to train on, and others to read factors from
SAMPLES, REFERENCE = 500, 1000  # images that are generated, and others that they are compared with
POINTS = 64  # at which the Jacobian is taken to solve, and as many to measure
CHOOSING, SEEDS = 100, range(5)
RATES = tuple({"learning_rate": rate} for rate in (1e-3, 2e-3, 4e-3))
CURVES, CURVE_SEEDS = ("beta", "mean-field", "full", "trace"), (0, 1)
STUDENT = 2.776  # of 95 % with five seeds
BETAS = (0.03, 0.1, 0.3, 1.0, 3.0)
MODELS: dict[str, tuple[dict[str, Any], tuple[dict[str, Any], ...]]] = {  # fixed settings, and three to choose from
    "autoencoder": ({"regulariser": "none"}, RATES),
    "St-RKM": (
        {},
        ({"loss": "deterministic"}, {"loss": "split", "noise": 1e-3}, {"loss": "stochastic", "noise": 0.1}),
    ),
    "VAE": ({"regulariser": "beta", "beta": 1.0}, RATES),
    "beta-VAE": ({"regulariser": "beta"}, tuple({"beta": beta} for beta in (0.1, 0.3, 3.0))),
    "FactorVAE": ({"regulariser": "factor", "beta": 1.0}, tuple({"gamma": gamma} for gamma in (1.0, 3.0, 10.0))),
    "mean-field": ({"regulariser": "mean-field"}, tuple({"beta": beta} for beta in (0.1, 0.3, 1.0))),
    "full": ({"regulariser": "full"}, tuple({"beta": beta} for beta in (0.1, 0.3, 1.0))),
}
FOLDER = Path("outputs/autoencoders")


@dataclasses.dataclass(frozen=True)
class Job:
    """One training and what is measured of it."""

    data: str
    model: str
    settings: dict[str, Any]
    seed: int

    @property
    def path(self) -> Path:
        text = "-".join(f"{name}={value}" for name, value in sorted(self.settings.items()))
        return FOLDER / self.data / f"{self.model}-{text}-{self.seed}.json"


@functools.cache
def images_of(data: str, fashion: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, H, W, 3) of bytes: those to train on, and others to compare with and to read factors from."""
    if data == FASHION:
        images = read_images(fashion)[0]  # the 10,000 of the published test set come first
        return images[10_000:], images[:REFERENCE]
    sets = ((0, SPRITE_COUNT), (1, READ))
    first, second = (np.stack([render_image(SPRITES, seed, i, 32) for i in range(n)]) for seed, n in sets)
    return first, second


@functools.cache
def reference(data: str, fashion: str) -> tuple[Tensor, Tensor]:
    """Return images that no model was trained on, (n, channels, H, H) in [0, 1], and their features."""
    images = torch.from_numpy(images_of(data, fashion)[1][:REFERENCE, ..., :1]).permute(0, 3, 1, 2).float() / 255
    path = FOLDER / f"{data}-features.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, open(part, "wb") as file:
            np.save(file, lite0()(as_rgb(2 * images - 1)).numpy())
    return images, torch.from_numpy(np.load(path))


def config_of(job: Job) -> AutoencoderConfig:
    """Return the settings of a run."""
    kind, size = (StRKMConfig, "columns") if job.model.startswith("St-RKM") else (VAEConfig, "z_dim")
    fixed = MODELS.get(job.model, ({}, ()))[0]
    given = {"steps": STEPS, "batch_size": BATCH, "seed": job.seed, size: DATA[job.data], **fixed, **job.settings}
    return kind(**given)


def carry_out(fashion: str, job: Job) -> None:
    """Train a model and write what was measured of it."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    config = config_of(job)
    trainer = (StRKMTrainer if isinstance(config, StRKMConfig) else vae.VAETrainer)(
        images_of(job.data, fashion)[0], config, "cpu"
    )
    began = time.monotonic()
    try:
        run(trainer)
    except Diverged as error:
        write_json(job.path, {"settings": dataclasses.asdict(config), "collapsed": str(error)})
        return
    seconds = time.monotonic() - began
    content = {"settings": dataclasses.asdict(config), "seconds": seconds, **measured(job, trainer, fashion)}
    write_json(job.path, content)


@torch.no_grad()
def measured(job: Job, trainer: AutoencoderTrainer, fashion: str) -> dict[str, Any]:
    """Return every measure of a trained model."""
    model = trainer.finished()
    codes = torch.cat([model.encode(part.float() / 255) for part in trainer.pixels[:20_000].split(500)])
    turn = pca(codes) if job.model == "autoencoder" else torch.eye(codes.shape[1])
    mean, root = gaussian(codes)
    noise = normal(SAMPLES, len(mean), stream(job.seed, "samples"))
    drawn = {"fitted": mean + noise @ root.mT}
    if getattr(trainer.config, "regulariser", None) in ("beta", "factor"):
        drawn["prior"] = noise
    results: dict[str, Any] = {"error": trainer.error(), "variance": trainer.variance}
    real, features = reference(job.data, fashion)
    for name, latents in drawn.items():
        made = torch.cat([model.decoder(model.lift(part)) for part in latents.split(100)])
        distances = sliced_distances(made, real[:SAMPLES])
        results[f"swd {name}"] = sum(distances.values()) / len(distances)
        if job.seed != CHOOSING:
            results[f"frechet {name}"] = frechet_distance(lite0()(as_rgb(2 * made - 1)), features)
    results |= shares(model, trainer, turn)
    if job.data == SPRITES:
        pixels = torch.from_numpy(images_of(SPRITES, fashion)[1][..., :1]).permute(0, 3, 1, 2)
        read = torch.cat([model.encode(part.float() / 255) for part in pixels.split(500)]) @ turn.mT
        rows = [draw(SPRITES, 1, index) for index in range(READ)]
        values = {
            factor.name: np.array(
                [factor.choices.index(row[factor.name]) if factor.choices else row[factor.name] for row in rows]
            )
            for factor in FAMILY.factors
        }
        for regressor in REGRESSORS:
            scores = dci(read.numpy(), values, FAMILY.factors, regressor)
            results |= {
                f"{name} {regressor}": getattr(scores, name)
                for name in ("disentanglement", "completeness", "informativeness")
            }
    return {**results, **objective(trainer, model, trainer.held_out.float() / 255)}


def pca(codes: Tensor) -> Tensor:
    """Return the principal axes of codes (n, dim) as rows (dim, dim)."""
    return torch.linalg.eigh(torch.cov(codes.double().mT)).eigenvectors.flip(1).mT.float()


def shares(model: Autoencoder, trainer: AutoencoderTrainer, turn: Tensor) -> dict[str, float]:
    """Return the off-diagonal share of J^T J for several columns, at codes of images that were left out.

    own: the model's (an autoencoder's: PCA's). joint: by joint diagonalisation at other codes. trained: an St-RKM's
    before the last step. live: own, of the columns that matter.
    """
    held_out = trainer.held_out.float() / 255
    codes = torch.cat([model.encode(part) for part in held_out.split(500)])
    grams = vae.grams(lambda z: model.decoder(model.lift(z)), codes[: 2 * POINTS]).double()
    solving, measuring = grams[:POINTS], grams[POINTS:]
    dim = codes.shape[1]
    bases = {"own": turn, "pca": pca(codes), "joint": joint(unit_norm(solving))}
    found = {f"share {name}": off_diagonal(basis, measuring) for name, basis in bases.items()}
    turns = [torch.linalg.qr(torch.randn(dim, dim, generator=stream(i, "turn"))).Q for i in range(5)]
    found["share random"] = float(np.mean([off_diagonal(each, measuring) for each in turns]))
    if isinstance(trainer, StRKMTrainer):
        rows = trainer.players.columns.rows @ model.rows.mT  # inside the range of U
        u, _, v = torch.linalg.svd(rows)
        found["share trained"] = off_diagonal(u @ v, measuring)
    moved = measuring.diagonal(dim1=1, dim2=2).mean(0).float() * (turn @ torch.cov(codes.mT) @ turn.mT).diagonal()
    live = moved > 1e-3 * moved.max()
    found["live"] = int(live.sum())
    found["share live"] = off_diagonal(turn[live], measuring) if live.sum() > 1 else 0.0
    diagonal = measuring + 1e-9 * torch.eye(dim)
    gap = diagonal.diagonal(dim1=1, dim2=2).log().sum(1) - torch.linalg.slogdet(diagonal).logabsdet
    found["hadamard gap"] = float(gap.mean() / 2)
    return found


def off_diagonal(basis: Tensor, grams: Tensor) -> float:
    """Return the share of energy off the diagonal, averaged over matrices (n, dim, dim)."""
    turned = basis.double() @ unit_norm(grams) @ basis.double().mT
    energy = turned.square().sum((1, 2)).clamp(min=1e-30)
    return float((1 - turned.diagonal(dim1=1, dim2=2).square().sum(1) / energy).mean())


def objective(trainer: AutoencoderTrainer, model: Autoencoder, held_out: Tensor) -> dict[str, float]:
    """Return the loss of the beta-VAE at images that were left out: as reckoned by the regulariser, and with noise.

    The noisy one draws from the posterior: the encoder's for a beta-VAE; the best one with a diagonal covariance, by
    the Jacobian, for a model without noise.
    """
    config = trainer.config
    if not isinstance(config, VAEConfig) or config.regulariser == "none":
        return {}
    images, beta, rng = held_out[:256], config.beta, stream(0, "objective")
    encoded = trainer.players.encoder(images)
    mean = encoded[:, : config.z_dim]
    grams = vae.grams(model.decoder, mean)
    best = -(grams.diagonal(dim1=1, dim2=2) / beta).log1p()
    log_variance = encoded[:, config.z_dim :] if encoded.shape[1] > config.z_dim else best
    misfit = (model.decoder(mean) - images).square().flatten(1).sum(1) / 2
    noisy = [
        (model.decoder(mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=rng)) - images)
        .square().flatten(1).sum(1) / 2
        for _ in range(16)
    ]  # fmt: skip
    divergence = vae.divergence_from_prior(mean, log_variance)
    dim = config.z_dim
    logdet = torch.linalg.slogdet(torch.eye(dim) + grams / beta).logabsdet
    norms = mean.square().sum(1)
    return {
        "loss with noise": float(torch.stack(noisy).mean() + beta * divergence),
        "loss mean-field": float((misfit + beta / 2 * (norms - best.sum(1))).mean()),
        "loss full": float((misfit + beta / 2 * (norms + logdet)).mean()),
        "loss trace": float((misfit + beta / 2 * norms + grams.diagonal(dim1=1, dim2=2).sum(1) / 2).mean()),
    }


def chosen(data: str, model: str) -> dict[str, Any]:
    """Return the setting of a model that was best on the seed for choosing."""
    tried = [(option, json.loads(Job(data, model, option, CHOOSING).path.read_text())) for option in MODELS[model][1]]
    options, results = zip(*(each for each in tried if "collapsed" not in each[1]), strict=True)
    ranks = np.argsort(np.argsort([result["swd fitted"] for result in results])).astype(float)
    if data == SPRITES:
        ranks += np.argsort(np.argsort([-result["disentanglement forest"] for result in results]))
    return options[int(np.argmin(ranks))]


def work_through(jobs: Sequence[Job], fashion: str, workers: int) -> None:
    """Carry out what is left, several runs at once."""
    left = [job for job in jobs if not job.path.exists()]
    for number, _ in enumerate(in_processes(partial(carry_out, fashion), left, workers), 1):
        click.echo(f"{number} of {len(left)}", err=True)


def interval(values: Sequence[float]) -> str:
    """Return the mean and half the width of its 95 % interval, by Student's t over seeds."""
    mean, half = np.mean(values), STUDENT * np.std(values, ddof=1) / len(values) ** 0.5
    digits = 2 if abs(mean) < 10 else 1
    return f"{mean:.{digits}f} +- {half:.{digits}f}"


def row(data: str, model: str, setting: dict[str, Any], columns: dict[str, str]) -> list[str]:
    """Return a row of the table: the model with its setting, then the columns, which may be missing."""
    results = [json.loads(Job(data, model, setting, seed).path.read_text()) for seed in SEEDS]
    collapsed = sum("collapsed" in result for result in results)
    assert not collapsed, f"{model}: {collapsed} runs have collapsed"
    for result in results:
        result["error %"] = 100 * result["error"] / result["variance"]
    own = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in setting.items() if name != "column_rate")
    values = [interval([r[key] for r in results]) if key in results[0] else "" for key in columns.values()]
    return [f"{model} ({own})", *values]


def table(data: str) -> None:
    """Print the tables of a data set as Markdown."""
    quality = {"error, %": "error %", "Frechet": "frechet fitted", "prior": "frechet prior", "SWD": "swd fitted"}
    if data == SPRITES:
        quality |= {
            f"{letter} {regressor}": f"{name} {regressor}"
            for regressor in REGRESSORS
            for letter, name in (("D", "disentanglement"), ("C", "completeness"), ("I", "informativeness"))
        }
    share = {name: f"share {name}" for name in ("own", "pca", "joint", "random", "trained", "live")}
    best = {model: chosen(data, model) for model in MODELS}
    rows = [*best.items(), ("St-RKM fixed U", {**best["St-RKM"], "column_rate": 0.0})]
    for columns in (quality, {**share, "live columns": "live", "gap": "hadamard gap"}):
        print_rows([["model", *columns], *(row(data, model, setting, columns) for model, setting in rows)])


def curve(kind: str, beta: float) -> list[dict[str, Any]]:
    """Return the results of a curve's runs at one beta; an empty list if one of them has collapsed."""
    jobs = [Job(FASHION, "curve", {"regulariser": kind, "beta": beta}, seed) for seed in CURVE_SEEDS]
    results = [json.loads(job.path.read_text()) for job in jobs]
    if any("collapsed" in result for result in results):
        return []
    own = "loss with noise" if kind == "beta" else f"loss {kind}"
    return [{**r, "error %": 100 * r["error"] / r["variance"], "own loss": r[own]} for r in results]


def curves() -> None:
    """Print the curves over beta as Markdown: each cell is the mean over `CURVE_SEEDS`."""
    names = {
        "loss with noise": "loss with noise",
        "by its own formula": "own loss",
        "error, %": "error %",
        "Frechet": "frechet fitted",
        "SWD": "swd fitted",
        "share live": "share live",
        "live": "live",
        "gap": "hadamard gap",
        "seconds": "seconds",
    }
    rows = [["model", "beta", *names]]
    for kind in CURVES:
        for beta in BETAS:
            results = curve(kind, beta)
            cells = [f"{np.mean([result[key] for result in results]):.2f}" for key in names.values() if results]
            rows.append([kind, f"{beta:g}", *(cells or ["collapsed"])])
    print_rows(rows)


def plot(path: Path) -> None:
    """Plot the losses over beta, relative to the beta-VAE's."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, key, title in zip(
        axes, ("loss with noise", "own loss"), ("with noise, as a beta-VAE", "by its own formula"), strict=True
    ):
        for kind in CURVES[1:]:
            found = {beta: curve(kind, beta) for beta in BETAS}
            ratios = {
                beta: np.mean([r[key] for r in results]) / np.mean([r["loss with noise"] for r in curve("beta", beta)])
                for beta, results in found.items()
                if results
            }
            axis.plot(list(ratios), list(ratios.values()), marker="o", label=kind)
        axis.axhline(1, color="black", linewidth=0.8, label="beta-VAE")
        axis.set(xscale="log", xlabel="beta", title=f"loss {title}")
    axes[0].set_ylabel("loss / loss of the beta-VAE")
    axes[1].legend()
    figure.savefig(path, dpi=110)


def print_rows(rows: list[list[str]]) -> None:
    """Print rows as a table in Markdown."""
    for number, cells in enumerate(rows):
        click.echo(f"| {' | '.join(cells)} |")
        if not number:
            click.echo("|---" * len(cells) + "|")
    click.echo()


@click.command()
@click.option("--fashion", default="/usr/share/datasets/fashion-mnist", show_default=True)
@click.option("--workers", default=2, show_default=True)
@click.option("--part", type=click.Choice(["table", "curves"]), default="table", show_default=True)
@click.option("--print", "printed", is_flag=True, help="Print what is there instead.")
@click.option("--plot", "plotted", type=click.Path(path_type=Path), help="File to plot the curves to instead.")
def main(fashion: str, workers: int, part: str, printed: bool, plotted: Path | None) -> None:
    """Train and measure all models."""
    if printed and part == "table":
        for data in DATA:
            table(data)
    elif plotted:
        plot(plotted)
    elif printed:
        curves()
    elif part == "table":
        options = [
            Job(d, m, option, CHOOSING) for m, (_, options) in MODELS.items() for d in DATA for option in options
        ]
        work_through(options, fashion, workers)
        best = [Job(d, m, chosen(d, m), seed) for seed in SEEDS for d in DATA for m in MODELS]
        frozen = [Job(d, "St-RKM fixed U", {**chosen(d, "St-RKM"), "column_rate": 0.0}, s) for s in SEEDS for d in DATA]
        work_through([*best, *frozen], fashion, workers)
    else:
        work_through(
            [
                Job(FASHION, "curve", {"regulariser": kind, "beta": beta}, seed)
                for seed in (0, 1)
                for beta in BETAS
                for kind in CURVES
            ],
            fashion,
            workers,
        )


if __name__ == "__main__":
    main()
