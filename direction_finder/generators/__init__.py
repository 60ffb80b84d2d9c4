"""Load frozen generators, which map latents and classes to images; `load_generator` takes a name or a path."""

from direction_finder.class_names import ORIGINAL, resolve_class, search_classes
from direction_finder.generators.base import IMAGE, Generator, Half
from direction_finder.generators.biggan import PUBLISHED
from direction_finder.generators.loading import Untold, class_names, consequence, load_generator, wrap
from direction_finder.generators.outline import PARTS, Outline
from direction_finder.generators.wrapped import WrappedModule

__all__ = [
    "IMAGE",
    "ORIGINAL",
    "PARTS",
    "PUBLISHED",
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
