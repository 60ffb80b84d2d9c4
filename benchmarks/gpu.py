"""What a GPU is asked for when there is one: speeds, a longer training of `shapes-64`, and the paper's loop whole.

    python -m benchmarks.gpu speed --out FOLDER
    python -m benchmarks.gpu train DATA SNAPSHOT --steps 10000 --out FOLDER
    python -m benchmarks.gpu loop GENERATOR --out FOLDER

`train` and `loop` are `train biggan` and `learn --method hessian`, with the same random numbers. The arithmetic of a
step is replayed as one CUDA graph, because small networks wait for the launches of their kernels.
"""

import copy
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import direction_finder as df
from benchmarks.step import our_step, published_step
from direction_finder.commands import main as command
from direction_finder.discovery import loop
from direction_finder.discovery.configs import HessianConfig
from direction_finder.discovery.loop import Batch, Config, Penalise, draw_batch
from direction_finder.discovery.search_space import SearchSpace
from direction_finder.generators import Generator
from direction_finder.generators.base import Half
from direction_finder.generators.biggan import BigGANGenerator
from direction_finder.generators.biggan_deep import BigGANDeepGenerator
from direction_finder.generators.devices import pick_device
from direction_finder.generators.networks.biggan import BigGAN, FrozenBigGAN
from direction_finder.generators.networks.biggan_deep import FrozenBigGANDeep
from direction_finder.training import biggan
from direction_finder.training.loop import run
from direction_finder.training.state import snapshot

WIDE = [[False, 16, 16], [True, 16, 16], [False, 16, 16], [True, 16, 8], [False, 8, 8]]
LAYERS = {  # of the published BigGAN-deep, by resolution
    128: [*WIDE, [True, 8, 4], [False, 4, 4], [True, 4, 2], [False, 2, 2], [True, 2, 1]],
    256: [*WIDE, [True, 8, 8], [False, 8, 8], [True, 8, 4], [False, 4, 4], [True, 4, 2], [False, 2, 2], [True, 2, 1]],
}
LAYERS[512] = [*LAYERS[256], [False, 1, 1], [True, 1, 1]]
CLASS = 207
CLASSES = ["cube", "sphere", "cylinder"]


class Graphed:
    """Replay the work of a function of tensors, called three times before, as a CUDA graph."""

    def __init__(self, function: Callable[..., Any], *inputs: Tensor):
        self.inputs = [tensor.detach().clone().requires_grad_(tensor.requires_grad) for tensor in inputs]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                function(*self.inputs)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.output = function(*self.inputs)

    @torch.no_grad()
    def __call__(self, *inputs: Tensor) -> Any:
        for held, tensor in zip(self.inputs, inputs, strict=True):
            held.copy_(tensor)
        self.graph.replay()
        return self.output


def seconds(function: Callable[[], Any], rounds: int = 3) -> float:
    """Return the median time of a call, after one to warm up."""
    function()
    took = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.perf_counter()
        function()
        torch.cuda.synchronize()
        took.append(time.perf_counter() - start)
    return sorted(took)[rounds // 2]


def matmul_peak(dtype: torch.dtype, tf32: bool = False, size: int = 8192) -> float:
    """Return the rate of large matrix products, in 10^12 floating-point operations a second."""
    torch.backends.cuda.matmul.allow_tf32 = tf32
    a, b = (torch.randn(size, size, device="cuda").to(dtype) for _ in range(2))
    rate = 2 * size**3 / seconds(lambda: a @ b) / 1e12
    torch.backends.cuda.matmul.allow_tf32 = False
    return rate


def deep(resolution: int) -> tuple[Any, BigGANDeepGenerator]:
    """Return a published BigGAN-deep with random weights: the package's, on the CPU, and ours, on the GPU."""
    from pytorch_pretrained_biggan import BigGANConfig

    from tests.sane_biggan import sane_biggan

    settings = {**BigGANConfig().to_dict(), "output_dim": resolution, "layers": LAYERS[resolution]}
    model = sane_biggan(settings, batch=2, every=50).requires_grad_(False)
    names = [str(number) for number in range(settings["num_classes"])]
    generator = BigGANDeepGenerator(
        FrozenBigGANDeep(copy.deepcopy(model), 1.0),
        name=f"deep-{resolution}",
        weights_sha256="",
        class_names=names,
        truncation=None,
    )
    return model, generator.cuda()


def original() -> BigGANGenerator:
    """Return the paper's BigGAN at 128 pixels, with random weights, on the GPU."""
    held = BigGAN([96 * width for width in (16, 16, 8, 4, 2, 1)], 3, 20, 128, 1000)
    for name, tensor in held.state_dict().items():
        tensor.fill_(1) if name.endswith("var") else tensor.normal_(std=0.02)
    names = [str(number) for number in range(1000)]
    return BigGANGenerator(
        FrozenBigGAN(held.eval()), name="biggan-128", weights_sha256="", names=names, truncation=None
    ).cuda()


@torch.no_grad()
def passes(generator: Generator, batch: int) -> dict[str, float]:
    """Return passes a second in each precision, compiled too, and the share of the card's peak for the same type."""
    rng = torch.Generator().manual_seed(0)
    latents = generator.sample(batch, rng)[:, None].repeat(1, generator.num_layers, 1)
    classes = torch.full((batch,), CLASS, device="cuda")
    half = Half(torch.bfloat16, generator.stage_names[0])
    with FlopCounterMode(display=False) as counter:
        generator(latents[:1], classes[:1])
    found: dict[str, float] = {"batch": batch, "GFlop a pass": counter.get_total_flops() / 1e9}

    def timed(name: str, function: Callable[[], Any]) -> None:
        rate = batch / seconds(function)
        found[name], found[f"{name}: TFlop/s"] = rate, rate * found["GFlop a pass"] / 1e3

    timed("float32", lambda: generator(latents, classes))
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    timed("tf32", lambda: generator(latents, classes))
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    timed("bfloat16", lambda: generator.activations(latents, classes, ["image"], half))
    return found


@torch.no_grad()
def compiled(generator: Generator, batch: int) -> dict[str, float]:
    """Return passes a second with `torch.compile`, and the seconds of compiling."""
    latents = torch.randn(batch, generator.num_layers, generator.dim, device="cuda")
    classes = torch.full((batch,), CLASS, device="cuda")
    half = Half(torch.bfloat16, generator.stage_names[0])
    found = {}
    for name, chosen in (("bfloat16", half), ("float32", None)):
        function = torch.compile(
            lambda z, labels, chosen=chosen: generator.run(z, labels, frozenset(["image"]), chosen)
        )
        start = time.perf_counter()
        function(latents, classes)
        torch.cuda.synchronize()
        found[f"{name}: compiling"] = time.perf_counter() - start
        found[name] = batch / seconds(lambda function=function: function(latents, classes))
    return found


def one_step(model: Any, generator: BigGANDeepGenerator, samples: int) -> dict[str, float]:
    """Return seconds and GiB of one step of the paper's loop, by the published arithmetic and by ours."""
    config = HessianConfig(class_index=CLASS, batch_size=samples, max_batch=4 * samples)
    space, found = SearchSpace(generator, config), {"batch": float(samples)}
    batch = draw_batch(space, config, generator.dim, torch.Generator().manual_seed(0))
    free = (
        torch.randn(generator.dim, generator.dim, generator=torch.Generator().manual_seed(0))
        * (2 / generator.dim) ** 0.5
    )
    gradients = {}

    def published() -> None:
        gradients["published"] = published_step(model, free.cuda(), batch).cpu()

    def ours() -> None:
        gradients["ours"] = our_step(space, config, free.cuda(), batch).cpu()

    for name, step in (("ours", ours), ("published", published)):
        torch.cuda.reset_peak_memory_stats()
        found[name] = seconds(step, 2)
        found[f"{name}: GiB"] = torch.cuda.max_memory_allocated() / 2**30
    found["cosine"] = float(torch.nn.functional.cosine_similarity(*(g.flatten() for g in gradients.values()), dim=0))
    return found


def whole_search(generator: Generator, **settings: Any) -> dict[str, float]:
    """Return seconds, passes and GiB of a whole search by the default method."""
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    finding = df.find(generator, class_name=str(CLASS), points=24, keep_going=True, **settings).finding
    assert finding
    took, memory = time.perf_counter() - start, torch.cuda.max_memory_allocated() / 2**30
    return {"seconds": took, "images": finding.images, "GiB": memory}


@click.group()
def main() -> None:
    """Use a GPU well."""


@main.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for speed.json.")
def speed(out: Path) -> None:
    """Measure speeds of BigGANs with random weights; results are written one after the other."""
    out.mkdir(parents=True, exist_ok=True)
    pick_device("cuda")
    found: dict[str, Any] = {"device": torch.cuda.get_device_name(), "torch": torch.__version__}

    def note(name: str, measure: Callable[[], Any]) -> None:
        start = time.perf_counter()
        try:
            found[name] = measure()
        except (torch.OutOfMemoryError, RuntimeError, df.InputError) as error:
            found[name] = str(error).splitlines()[0]
        torch.cuda.empty_cache()
        print(f"{name} ({time.perf_counter() - start:.0f} s): {found[name]}", flush=True)
        (out / "speed.json").write_text(json.dumps(found, indent=1))

    note("peak float32", lambda: matmul_peak(torch.float32))
    note("peak tf32", lambda: matmul_peak(torch.float32, tf32=True))
    note("peak bfloat16", lambda: matmul_peak(torch.bfloat16))
    model, generator = deep(128)
    note("deep-128", lambda: passes(generator, 64))
    model.cuda()
    note("step 16", lambda: one_step(model, generator, 16))
    note("step 96", lambda: one_step(model, generator, 96))
    note("learn, whole", lambda: whole_search(generator, max_batch=128))
    at = tuple(name for name in generator.activation_names if name in ("layer4", "layer5", "layer6"))
    note("learn, by channel", lambda: whole_search(generator, max_batch=128, by="channel", at=at))
    note("biggan-128", lambda: passes(original(), 64))
    for resolution in (256, 512):
        note(f"deep-{resolution}", lambda resolution=resolution: passes(deep(resolution)[1], 32))
    note("deep-128 compiled", lambda: compiled(generator, 64))


def graphed_trainer(data: Any, config: biggan.BigGANConfig) -> biggan.BigGANTrainer:
    """Return a trainer whose steps are replayed; every 200th tells its losses."""
    trainer = biggan.BigGANTrainer(data["images"], data["classes"], CLASSES, config, "cuda")
    rates = {name: torch.tensor(rate, device="cuda") for name, rate in trainer.rates.items()}
    for name, optimiser in trainer.optimisers.items():
        optimiser.param_groups[0].update(lr=rates[name], capturable=True)
    graphed: list[Graphed] = []

    def work(*tensors: Tensor) -> Tensor:
        batch = biggan.Batch(*tensors)
        generated = trainer.players.generator(batch.z, batch.asked)
        loss, of_real, of_generated = trainer._train_discriminator(batch, generated)
        return torch.stack([loss, trainer._train_generator(batch, generated), of_real, of_generated])

    def step(number: int, rng: torch.Generator) -> dict[str, float]:
        batch = trainer._draw(rng)
        for name, rate in trainer.rates.items():
            rates[name].fill_(rate * biggan._remaining(config, number - 1))
        if not graphed:
            graphed.append(Graphed(work, *batch))
        means = graphed[0](*batch)
        if number % 200:
            return {}
        return dict(zip(("loss_d", "loss_g", "score_real", "score_drawn"), means.tolist(), strict=True))

    trainer.step = step
    return trainer


@main.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.argument("start", type=click.Path(exists=True, path_type=Path))
@click.option("--steps", default=10_000, show_default=True)
@click.option("--batch-size", default=128, show_default=True)
@click.option("--seed", default=5, show_default=True)
@click.option("--seconds", "limit", type=float, help="Choose the number of steps so that they take this time.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for snapshots and generator.")
def train(data: Path, start: Path, steps: int, batch_size: int, seed: int, limit: float | None, out: Path) -> None:
    """Train `shapes-64` on from a snapshot; DATA is an .npz of images (n, 64, 64, 3) and classes (n,)."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    out.mkdir(parents=True, exist_ok=True)
    held, snapshots = dict(np.load(data)), load_file(start)
    config = biggan.BigGANConfig(averaging=0.9995, seed=seed, batch_size=batch_size, steps=steps)
    if limit:
        times = []
        trial = graphed_trainer(held, dataclasses.replace(config, steps=400))
        run(trial, on_step=lambda progress: times.append(time.perf_counter()), start=snapshots)
        config = dataclasses.replace(config, steps=int(200 * limit / (times[-1] - times[-201])))
    print(config, flush=True)
    trainer, began = graphed_trainer(held, config), time.perf_counter()

    def on_step(progress: Any) -> None:
        if progress.step % 1000 == 0:
            print(f"step {progress.step}, {time.perf_counter() - began:.0f} s, {progress.values}", flush=True)
        if progress.step in (config.steps // 2, config.steps):
            save_file(snapshot(trainer.players), out / f"snapshot-{progress.step}.safetensors")

    run(trainer, on_step=on_step, start=snapshots)
    (out / "generator").mkdir(exist_ok=True)
    content = biggan.package_config(config, 64, CLASSES)
    (out / "generator" / "config.json").write_text(json.dumps(content))
    weights = {name: tensor.half() for name, tensor in biggan.finished(trainer.players, config).items()}
    torch.save(weights, out / "generator" / "pytorch_model.bin")


@main.command("loop")
@click.argument("spec")
@click.option("--device", default="cuda", show_default=True)
@click.option("--steps", default=50_000, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run folder, resumed if it is there.")
def whole_loop(spec: str, device: str, steps: int, out: Path) -> None:
    """Run the paper's loop on class cube, batch 16, published settings; SIGINT saves its state."""
    graphed: list[Graphed] = []

    def batch_penalty(
        space: SearchSpace, config: Config, rows: Tensor, batch: Batch, penalise: Penalise[Config]
    ) -> float:
        def work(leaf: Tensor, *tensors: Tensor) -> tuple[Tensor, Tensor | None]:
            leaf.grad = None
            loss = penalise(space, config, leaf, Batch(*tensors)).mean()
            loss.backward()
            return loss.detach(), leaf.grad

        if not graphed:
            graphed.append(Graphed(work, rows, *batch))
        loss, rows.grad = graphed[0](rows, *batch)
        return float(loss)

    if device == "cuda":
        loop.batch_penalty = batch_penalty
    settings = ["--generator", spec, "--class", "cube", "--method", "hessian", "--batch-size", "16", "--seed", "0"]
    settings += ["--max-batch", "64", "--out", str(out)]
    begin = ["--resume", str(out)] if out.exists() else settings
    command(["learn", *begin, "--steps", str(steps), "--device", device, "--save-every", "20"])


if __name__ == "__main__":
    main()
