"""Find the files of BigGAN-deep models: in the working directory, in the user's cache, or downloaded into it."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from direction_finder.errors import InputError
from direction_finder.files import cache_folder
from direction_finder.generators.biggan_deep import CONFIG, WEIGHTS, find_weights, read_network
from direction_finder.generators.biggan_deep_config import LARGEST, read_config
from direction_finder.generators.download import fetch
from direction_finder.generators.transfer import OnDownload
from direction_finder.generators.weights.endings import check_end

MIRROR_VARIABLE = "DIRECTION_FINDER_MIRROR"
NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"  # of an owner or a model on the hub


class Pin(NamedTuple):
    """Hold the SHA-256 and the size in bytes of a published file."""

    sha256: str
    size: int


# Of the other models neither is published. The first is also that of the text that the package writes for this network.
PINS = {
    "biggan-deep-256": {
        CONFIG: Pin("edd106f65ff28ee1638491a978cfa6bc50dfa0344aab70749a7b8eb08bbec677", 715),
        WEIGHTS: Pin("5900ef4065047e3aa0d1b66197b7f2664dceb59b27080e414ad57e203c485bc5", 234_411_737),
    }
}


def find_on_hub(repository: str, on_download: OnDownload | None = None, doubt: bool = False) -> Path:
    """Return the folder of a BigGAN-deep on the Hugging Face hub (`owner/name`).

    It is taken from the user's cache, or downloaded into it. $HF_ENDPOINT names another hub. doubt: read the files in
    the cache, and download those again that are damaged.
    """
    if not re.fullmatch(f"{NAME}/{NAME}", repository) or "--" in repository or ".." in repository:
        raise InputError(
            f"hf:{repository!r}: expected hf:owner/name, where both begin and end with a letter or digit and contain "
            "only letters, digits, -, _ and ."
        )
    base = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    urls = {file: f"{base}/{repository}/resolve/main/{file}" for file in (CONFIG, WEIGHTS)}
    return _fetched(cache_folder() / "hf" / repository, urls, {}, on_download, doubt)


def local_biggan_deep(name: str) -> Path | None:
    """Return the folder of a published model in the working directory or in the user's cache; None if in neither."""
    folders = (Path(name), cache_folder() / name)
    return next((folder for folder in folders if (folder / CONFIG).is_file() and find_weights(folder)), None)


def find_biggan_deep(name: str, on_download: OnDownload | None = None, doubt: bool = False) -> Path:
    """Return the folder of a published model: in the working directory, in the user's cache, or downloaded into it.

    Downloads resume. Set DIRECTION_FINDER_MIRROR to a base URL that serves `<name>-config.json` and
    `<name>-pytorch_model.bin` if the package's own address does not answer. doubt: read the files in the cache, and
    download those again that are damaged; files in the working directory are never replaced.
    """
    folder = local_biggan_deep(name)
    if folder and (folder == Path(name) or not (folder / WEIGHTS).is_file()):
        return folder
    from pytorch_pretrained_biggan import model as package

    urls = {CONFIG: package.PRETRAINED_CONFIG_ARCHIVE_MAP[name], WEIGHTS: package.PRETRAINED_MODEL_ARCHIVE_MAP[name]}
    if mirror := os.environ.get(MIRROR_VARIABLE):
        urls = {file: mirror.rstrip("/") + "/" + url.rpartition("/")[2] for file, url in urls.items()}
    return _fetched(cache_folder() / name, urls, PINS.get(name, {}), on_download, doubt)


def _fetched(
    folder: Path, urls: dict[str, str], pins: dict[str, Pin], on_download: OnDownload | None, doubt: bool
) -> Path:
    """Download every file that the folder lacks, and return the folder. doubt: check the weights that it has, too."""
    pin = {file: pins[file]._asdict() if file in pins else {} for file in urls}
    path = folder / CONFIG
    fetch(urls[CONFIG], path, check=read_config, largest=LARGEST, on_download=on_download, **pin[CONFIG])
    if not doubt and (folder / WEIGHTS).is_file():
        return folder
    content = read_config(path)

    def check(weights: Path) -> None:
        read_network(weights, content)
        check_end(weights)

    fetch(urls[WEIGHTS], folder / WEIGHTS, check=check, on_download=on_download, **pin[WEIGHTS])
    return folder
