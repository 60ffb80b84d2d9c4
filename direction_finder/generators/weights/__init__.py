"""Read weights from files that may be nested, foreign, damaged or hostile. No code in a file is ever run."""

from direction_finder.generators.weights.files import read_tensors
from direction_finder.generators.weights.kinds import looks_like_html
from direction_finder.generators.weights.networks import Weights, read_state, read_weights, read_whole
from direction_finder.generators.weights.states import State, load_strict, state_sha256, tensor_hashes

__all__ = [
    "State",
    "Weights",
    "load_strict",
    "looks_like_html",
    "read_state",
    "read_tensors",
    "read_weights",
    "read_whole",
    "state_sha256",
    "tensor_hashes",
]
