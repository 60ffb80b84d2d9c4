"""Carry out the verbs. These modules import torch; the verbs do not, so that --help answers at once."""
