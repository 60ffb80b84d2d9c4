"""Load BigGAN-deep checkpoints in the layout of `pytorch-pretrained-biggan`."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from direction_finder.class_names import imagenet_names
from direction_finder.errors import InputError
from direction_finder.files import cache_folder
from direction_finder.generators.base import Generator, Half, class_labels
from direction_finder.generators.download import fetch
from direction_finder.generators.weights import load_strict, looks_like_html, read_state, state_sha256

CONFIG, WEIGHTS = "config.json", "pytorch_model.bin"
MIRROR_VARIABLE = "DIRECTION_FINDER_MIRROR"


class BigGANDeepGenerator(Generator):
    """Generate images with a frozen BigGAN-deep.

    z and the class embedding feed the first linear layer (0) and every block (1, 2, ...).
    """

    def __init__(
        self, network, *, name: str, weights_sha256: str, class_names: Sequence[str], truncation: float | None
    ):
        super().__init__()
        self.network = network
        self.name = name
        self.weights_sha256 = weights_sha256
        self.class_names = tuple(class_names)
        self.dim, self.num_classes = network.embedding.shape
        self.num_layers = 1 + network.num_blocks
        self.truncation = truncation
        self.freeze()
        with torch.no_grad():
            z, classes = torch.zeros(1, self.num_layers, self.dim), torch.zeros(1, dtype=torch.long)
            shapes = {stage: tensor.shape for stage, tensor in network.stages(z, classes)}
        self.activation_names = self.stage_names = tuple(shapes)
        self.resolution = shapes["image"][-1]

    def run(
        self, latents: Tensor, classes: Tensor | None, at: frozenset[str], half: Half | None = None
    ) -> dict[str, Tensor]:
        return self.collect(self.network.stages(latents, classes), at, half)


def load_biggan_deep(path: str | Path, *, name: str, truncation: float | None = None) -> BigGANDeepGenerator:
    """Load a BigGAN-deep from a folder with `config.json` and `pytorch_model.bin` or a `.safetensors` file.

    truncation: None for z ~ N(0, I) with the statistics of truncation 1, as in the paper; else in (0, 1].
    Raises InputError that names what is missing or wrong.
    """
    # imported only when a BigGAN is loaded, because the package imports boto3 and scipy
    from pytorch_pretrained_biggan import BigGAN, BigGANConfig

    from direction_finder.generators.networks.biggan_deep import FrozenBigGANDeep

    if truncation is not None and not 0 < truncation <= 1:
        raise InputError(f"truncation {truncation}: BigGAN's statistics are stored for values above 0 and up to 1")
    folder = Path(path)
    content = read_config(folder)
    weights = find_weights(folder)
    if weights is None:
        raise InputError(f"{folder}: no weights beside {CONFIG}; expected {WEIGHTS} or one .safetensors file")
    try:
        model = BigGAN(BigGANConfig.from_dict(content))
    except (RuntimeError, TypeError, ValueError, AttributeError, AssertionError, IndexError) as error:
        raise InputError(f"{folder / CONFIG}: does not describe a BigGAN-deep ({error})") from error
    state = read_state(weights)
    load_strict(model, state, str(weights))
    names = content.get("class_names") or (imagenet_names() if content["num_classes"] == 1000 else ())
    network = FrozenBigGANDeep(model.eval().requires_grad_(False), 1.0 if truncation is None else truncation)
    return BigGANDeepGenerator(
        network,
        name=name,
        weights_sha256=state_sha256(state),
        class_names=class_labels(content["num_classes"], names),
        truncation=truncation,
    )


def read_config(folder: Path) -> dict:
    """Return the `config.json` of a BigGAN-deep folder. Raises InputError if an entry for the network is missing."""
    path = folder / CONFIG
    if not path.is_file():
        raise InputError(f"{folder}: no {CONFIG}; a BigGAN-deep is a folder with {CONFIG} and {WEIGHTS}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        page = looks_like_html(path.read_bytes()[:64])
        raise InputError(f"{path}: {'a web page' if page else 'not JSON'}; download it again ({error})") from error
    for key in ("z_dim", "channel_width", "num_classes", "layers", "attention_layer_position", "eps", "n_stats"):
        if not isinstance(content, dict) or key not in content:
            raise InputError(f"{path}: no {key!r}; expected the configuration of pytorch-pretrained-biggan")
    return content


def find_weights(folder: Path) -> Path | None:
    """Return `pytorch_model.bin`, or else the only `.safetensors` file of a folder; None if there is neither."""
    if (folder / WEIGHTS).is_file():
        return folder / WEIGHTS
    files = sorted(folder.glob("*.safetensors"))
    return files[0] if len(files) == 1 else None


def find_on_hub(repository: str, on_download: Callable[[int, int], None] | None = None) -> Path:
    """Return the folder of a BigGAN-deep on the Hugging Face hub (`owner/name`).

    It is taken from the user's cache, or downloaded into it. $HF_ENDPOINT names another hub.
    """
    if repository.count("/") != 1:
        raise InputError(f"hf:{repository}: expected hf:owner/name")
    base = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    urls = {file: f"{base}/{repository}/resolve/main/{file}" for file in (CONFIG, WEIGHTS)}
    return _fetched(cache_folder() / "hf" / repository, urls, on_download)


def local_biggan_deep(name: str) -> Path | None:
    """Return the folder of a published model in the working directory or in the user's cache; None if in neither."""
    folders = (Path(name), cache_folder() / name)
    return next((folder for folder in folders if (folder / CONFIG).is_file() and find_weights(folder)), None)


def find_biggan_deep(name: str, on_download: Callable[[int, int], None] | None = None) -> Path:
    """Return the folder of a published model: in the working directory, in the user's cache, or downloaded into it.

    Downloads resume. Set DIRECTION_FINDER_MIRROR to a base URL that serves `<name>-config.json` and
    `<name>-pytorch_model.bin` if the package's own address does not answer.
    """
    if folder := local_biggan_deep(name):
        return folder
    from pytorch_pretrained_biggan import model as package

    urls = {CONFIG: package.PRETRAINED_CONFIG_ARCHIVE_MAP[name], WEIGHTS: package.PRETRAINED_MODEL_ARCHIVE_MAP[name]}
    if mirror := os.environ.get(MIRROR_VARIABLE):
        urls = {file: mirror.rstrip("/") + "/" + url.rpartition("/")[2] for file, url in urls.items()}
    return _fetched(cache_folder() / name, urls, on_download)


def _fetched(folder: Path, urls: dict[str, str], on_download: Callable[[int, int], None] | None) -> Path:
    """Download every file that the folder lacks, and return the folder."""
    for file, url in urls.items():
        if not (folder / file).is_file():
            fetch(url, folder / file, on_download=on_download)
    return folder
