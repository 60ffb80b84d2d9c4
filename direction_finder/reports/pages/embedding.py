"""Choose the images and videos of a run folder that its page shows, and read them."""

from collections.abc import Callable, Iterator
from pathlib import Path

from direction_finder.errors import InputError
from direction_finder.files import PREVIEWS, existing_file

CAPTIONS = {
    "grid": "What each direction does: samples down, steps along the direction across.",
    "overview": "Samples down, directions across, at full extent.",
    "factors": "How far each known factor changes along each direction, in its natural spreads per unit of z.",
    "activeness": "How much the image varies as a direction's coordinate is set to -2, 0, 2; inactive ones are paler.",
    "diagonality": "How strongly directions interact: |H|, averaged over pixels and samples.",
    "penalty": "Images, the Hessian Penalty of their pixels, and |H| at the pixel with the largest penalty.",
    "curves": "The values in the log, as means over windows of steps.",
    "align": "Samples unchanged, and with one value set for all of them along a direction.",
    "video": "A walk along each direction and back.",
}
TYPES = {".png": "image/png", ".gif": "image/gif", ".webp": "image/webp", ".mp4": "video/mp4"}
LARGEST = 200_000_000  # bytes of a file, which become a third more in a page


def figures(folder: Path, on_note: Callable[[str], None], *, preview: bool = True) -> Iterator[tuple[Path, bytes]]:
    """Yield the images and videos in a run folder, in the order of their captions, and its last preview if wanted.

    Links that lead out of the folder, and files that are too large, are left out. on_note: called with a message about
    each of them.
    """
    for path in _paths(folder, preview):
        try:
            data = _read(path, folder)
        except (InputError, OSError) as error:
            on_note(f"An image is left out: {error}")
        else:
            yield path, data


def size_of_figures(folder: Path) -> int:
    """Return how many bytes `figures` yields, at most."""
    return sum(path.stat().st_size for path in _paths(folder, True) if path.is_file())


def _paths(folder: Path, preview: bool) -> list[Path]:
    last_preview = sorted((folder / PREVIEWS).glob("*.png"))[-1:] if preview else []
    return [path for path in [*sorted(folder.iterdir(), key=_place), *last_preview] if path.suffix in TYPES]


def inside(path: Path, folder: Path) -> Path:
    """Return the path of a file in a run folder. Raises InputError if it is a link that leads out of it."""
    if not existing_file(path).resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{path}: a link to a file outside the run folder; copy the file into it")
    return path


def caption(path: Path) -> str:
    """Return the caption of an image or video; empty if its name says nothing."""
    return CAPTIONS.get(_kind(path), "")


def _read(path: Path, folder: Path) -> bytes:
    if (size := inside(path, folder).stat().st_size) > LARGEST:
        raise InputError(f"{path}: {size / 1e6:,.0f} MB; a page shows files up to {LARGEST / 1e6:.0f} MB")
    return path.read_bytes()


def _kind(path: Path) -> str:
    return path.stem.partition("-")[0]


def _place(path: Path) -> tuple[int, str]:
    kinds = list(CAPTIONS)
    return (kinds.index(_kind(path)) if _kind(path) in kinds else len(kinds), path.name)
