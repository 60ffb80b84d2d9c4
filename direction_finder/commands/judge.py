"""Scores a generator while it is trained, and keeps the best."""

import json

import click
import numpy as np
import torch
from safetensors.torch import save

from direction_finder.commands.runs import Run
from direction_finder.errors import InputError
from direction_finder.files import replacing
from direction_finder.generators.networks.progan import ProGAN
from direction_finder.metrics.features import lite0
from direction_finder.metrics.frechet import frechet_distance
from direction_finder.pictures import as_images
from direction_finder.progress import Progress
from direction_finder.randomness import normal, stream

BEST = "best.safetensors"
BATCH = 50


class Judge:
    """At every `every` kimg of a fully grown ProGAN, adds the Frechet distance of `samples` pictures to as many real
    ones to a step's values, and writes the generator if it is the best so far. The log tells a resumed run what was.
    """

    def __init__(self, run: Run, images: np.ndarray, seed: int, every: float, samples: int):
        self.run, self.every, self.samples, self.seed = run, every, min(samples, len(images)), seed
        self.images, self.real, self.features = images, None, None
        self.best = float("inf")
        self.last = 0.0
        for line in run.log.read_text(encoding="utf-8").splitlines() if run.log.is_file() else []:
            logged = json.loads(line)
            if "frechet" in logged:
                self.best, self.last = min(self.best, logged["frechet"]), logged["kimg"]
        if every:
            try:
                self.features = lite0()
            except InputError as error:
                click.echo(f"The pictures are not scored: {error}", err=True)

    def __call__(self, progress: Progress) -> None:
        values = progress.values
        grown = values["grown"] == int(values["grown"]) and 4 * 2 ** int(values["grown"]) == self.images.shape[1]
        due = values["kimg"] >= self.last + self.every or progress.step == progress.total
        if self.features is None or not grown or not due:
            return
        weights = progress.weights()
        values["frechet"] = self.distance(weights)
        self.last = values["kimg"]
        if values["frechet"] < self.best:
            self.best = values["frechet"]
            with replacing(self.run.folder / BEST) as part:
                part.write_bytes(save(weights))

    @torch.no_grad()
    def distance(self, weights: dict[str, torch.Tensor]) -> float:
        """The Frechet distance of what a generator with these weights draws."""
        if self.real is None:
            chosen = np.random.default_rng(self.seed).permutation(len(self.images))[: self.samples]
            parts = np.array_split(self.images[chosen], -(-self.samples // BATCH))
            self.real = torch.cat([self.features(as_images(torch.from_numpy(part))) for part in parts])
        levels = sum(name.startswith("output") and name.endswith("bias") for name in weights)
        network = ProGAN(weights["layer0.weight"].shape[1], [len(weights[f"layer{2 * i}.bias"]) for i in range(levels)])
        network.load_state_dict(weights)
        z = normal(self.samples, weights["layer0.weight"].shape[1], stream(self.seed, "score"))
        drawn = torch.cat([self.features(network(part, network.grown)) for part in z.split(BATCH)])
        return frechet_distance(drawn, self.real)
