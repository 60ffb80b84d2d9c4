"""How a long loop reports: one object per step, no printing, no files."""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Progress:
    """One finished step of a loop, handed to `on_step`.

    `state()` gives the tensors from which the loop goes on exactly (call it only if you will save them);
    `preview()` draws images (n, 3, H, W) that show how far it is, where there are any;
    `weights()` gives the state dict of the model that would be kept now, where one is trained;
    `stop()` asks the loop to end after this step.
    """

    step: int
    total: int
    phase: str = "learning"
    values: dict[str, float] = field(default_factory=dict)
    state: Callable[[], dict[str, Tensor]] = dict
    preview: Callable[[], Tensor] | None = None
    weights: Callable[[], dict[str, Tensor]] | None = None
    stopped: bool = False

    def stop(self) -> None:
        self.stopped = True


OnStep = Callable[[Progress], None]
