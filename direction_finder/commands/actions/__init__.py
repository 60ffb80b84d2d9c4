"""What the verbs do. These modules import torch; the verbs themselves do not, so that --help answers at once."""
