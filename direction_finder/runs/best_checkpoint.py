"""Score a generator during its training and save the best one."""

from collections.abc import Callable

import numpy as np
from safetensors.torch import save
from torch import Tensor

from direction_finder.errors import DirectionFinderError
from direction_finder.files import replacing
from direction_finder.generators.networks.progan import ProGAN
from direction_finder.metrics.reference import Reference
from direction_finder.progress import Progress
from direction_finder.runs.folder import Run

BEST = "best.safetensors"


class BestCheckpoint:
    """Score a fully grown ProGAN every `every` kimg, and save it if it is the best so far.

    The score is the Frechet distance between `samples` generated images and as many real ones; it is added to the
    values of the step. A resumed run reads earlier scores from its log.
    """

    def __init__(
        self, run: Run, images: np.ndarray, seed: int, every: float, samples: int, on_note: Callable[[str], None]
    ):
        self.run, self.every, self.resolution = run, every, images.shape[1]
        self.best, self.last = float("inf"), 0.0
        self.reference: Reference | None = None
        saved = (run.folder / BEST).is_file()
        for logged in run.steps():
            if "frechet" in logged:
                self.last = logged["kimg"]
                self.best = min(self.best, logged["frechet"]) if saved else self.best
        if every:
            try:
                self.reference = Reference(images, samples, seed)
            except DirectionFinderError as error:
                on_note(f"The images are not scored: {error}")

    def __call__(self, progress: Progress) -> None:
        """Score the generator if a score is due, and save it if it is the best so far."""
        values = progress.values
        grown = 4 * 2 ** values["level"] == self.resolution
        due = values["kimg"] >= self.last + self.every or progress.step == progress.total
        if self.reference is None or progress.weights is None or not grown or not due:
            return
        weights = progress.weights()
        network = _network(weights)
        dim = weights["layer0.weight"].shape[1]
        values["frechet"] = self.reference.distance(lambda z: network(z, values["level"]), dim)
        self.last = values["kimg"]
        if values["frechet"] < self.best:
            self.best = values["frechet"]
            with replacing(self.run.folder / BEST) as part:
                part.write_bytes(save(weights))


def _network(weights: dict[str, Tensor]) -> ProGAN:
    levels = sum(name.startswith("output") and name.endswith("bias") for name in weights)
    network = ProGAN(weights["layer0.weight"].shape[1], [len(weights[f"layer{2 * i}.bias"]) for i in range(levels)])
    network.load_state_dict(weights)
    return network
