"""List the generators known by name and their classes, and find the class that a user means. Needs no torch."""

import difflib
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from direction_finder.errors import InputError
from direction_finder.numerals import ordinal

SHOWN = 10
NAMED = 3  # of several classes that are searched together
EYES_CLASSES = ("amber", "blue", "brown", "gray", "grayscale", "green", "hazel", "red")
BIGGANS = ("biggan-deep-128", "biggan-deep-256", "biggan-deep-512")
ORIGINAL = "biggan-128"  # the original BigGAN of the paper
SHIPPED = {"shapes-64": ("cube", "sphere", "cylinder")}
PROGANS = ("clevr-1fov", "clevr-1fov-hp", "clevr-simple", "clevr-simple-hp")  # shipped: as trained, and fine-tuned
AUTOENCODERS = {"shapes-st-rkm": "st-rkm", "shapes-vae": "vae"}  # shipped, and their kind
# class names by generator; None: those of ImageNet
KNOWN = {
    **SHIPPED,
    **dict.fromkeys((*PROGANS, *AUTOENCODERS), ()),
    "eyes": EYES_CLASSES,
    **dict.fromkeys((*BIGGANS, ORIGINAL)),
}


def known_names(spec: str) -> tuple[str, ...] | None:
    """Return the class names of a generator known by name, () if it has no classes; None for any other generator."""
    if spec not in KNOWN:
        return None
    return imagenet_names() if KNOWN[spec] is None else KNOWN[spec]


@cache
def imagenet_names() -> tuple[str, ...]:
    """Return the 1000 classes of ImageNet (ILSVRC 2012) in their usual order, as comma-separated WordNet words."""
    text = files("direction_finder").joinpath("imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


def search_classes(names: Sequence[str], text: str) -> list[int]:
    """Return the numbers of the classes with `text` in their name; case and accents do not matter."""
    wanted = _plain(text)
    return [index for index, name in enumerate(names) if wanted in _plain(name)]


def resolve_class(names: Sequence[str], text: str) -> int:
    """Return the number of the class that `text` means.

    `text` is compared in this order: a class's full name or its first word, any of its comma-separated words, a class
    number, a part of exactly one name. Raises InputError that lists the candidates if there are several, or the
    nearest names if there is none.
    """
    if not names:
        raise InputError(f"class {text!r} cannot be chosen: the generator is unconditional; leave the class out")
    wanted, number = _plain(text), ordinal(text.strip())
    words = [[_plain(word) for word in name.split(",")] for name in names]
    tiers = (
        lambda: [i for i, name in enumerate(names) if _plain(name) == wanted or words[i][0] == wanted],
        lambda: [i for i, own in enumerate(words) if wanted in own],
        lambda: [] if number is None or number >= len(names) else [number],
        lambda: search_classes(names, text) if wanted and not wanted.isdigit() else [],
    )
    for tier in tiers:
        matches = tier()
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise InputError(
                f"class {text!r} is ambiguous: it matches {_listed(names, matches)}; give one of these names or numbers"
            )
    if wanted.isdigit():
        raise InputError(
            f"class {text!r} does not exist: there are {len(names)} classes, numbered 0 to {len(names) - 1}"
        )
    near = difflib.get_close_matches(wanted, [word for own in words for word in own], n=5, cutoff=0.6)
    candidates = [i for i, own in enumerate(words) if set(own) & set(near)] or range(min(SHOWN, len(names)))
    raise InputError(
        f"class {text!r} is unknown: the nearest are {_listed(names, candidates)}; search with `classes TEXT`"
    )


def _listed(names: Sequence[str], indices: Sequence[int]) -> str:
    more = f", and {len(indices) - SHOWN} more" if len(indices) > SHOWN else ""
    return ", ".join(f"{names[i].split(',')[0]} ({i})" for i in indices[:SHOWN]) + more


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).casefold().replace("_", " ").split())


def resolve_classes(names: Sequence[str], chosen: str | int | Sequence[str | int]) -> int | tuple[int, ...]:
    """Return the number of the class that `chosen` means, or those of several.

    Raises InputError if there is no such class, or if several are not two different ones at least.
    """
    if isinstance(chosen, str | int):
        return resolve_class(names, str(chosen))
    numbers = tuple(resolve_class(names, str(each)) for each in chosen)
    if len(set(numbers)) < max(2, len(numbers)):
        given = ", ".join(map(str, chosen)) or "none"
        raise InputError(f"classes {given}: expected two different ones at least to search them together")
    return numbers


def class_text(names: Sequence[str], numbers: Sequence[int]) -> str | None:
    """Return the name of a class, or the short names of several, e.g. "cube + sphere"; None for no class."""
    if len(numbers) == 1:
        return names[numbers[0]]
    shown = [names[number].split(",")[0] for number in numbers[:NAMED]]
    return " + ".join([*shown, *([f"{len(numbers) - NAMED:,} more"] if len(numbers) > NAMED else [])]) or None
