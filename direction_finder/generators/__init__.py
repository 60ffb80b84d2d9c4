"""Frozen generators: latents and classes in, images out. `load_generator` makes one from a name or a path."""

from direction_finder.class_names import ORIGINAL, resolve_class, search_classes
from direction_finder.generators.base import IMAGE, SPACES, Generator, Half, Outline
from direction_finder.generators.biggan import PUBLISHED
from direction_finder.generators.loading import Untold, class_names, consequence, load_generator, wrap
from direction_finder.generators.wrapped import WrappedModule

__all__ = [
    "IMAGE",
    "ORIGINAL",
    "PUBLISHED",
    "SPACES",
    "Generator",
    "Half",
    "Outline",
    "Untold",
    "WrappedModule",
    "class_names",
    "consequence",
    "load_generator",
    "resolve_class",
    "search_classes",
    "wrap",
]
