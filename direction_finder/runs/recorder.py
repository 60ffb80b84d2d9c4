"""Write the log of a run at each step, its state from time to time, and previews."""

import json
import time

from direction_finder.files import PREVIEWS, existing_file
from direction_finder.images import Row, to_uint8, write_sheet
from direction_finder.progress import OnStep, Progress
from direction_finder.runs.folder import Run
from direction_finder.settings import SAVE_EVERY, check_number


class Recorder:
    """Write the log, state and previews of one phase of a loop, after calling `on_step`, which may stop the loop.

    logged: the phase. save_every: seconds between two states. preview_every: steps between two previews, which show
    `Progress.preview()` in rows of `columns`. done: steps that the log and the state of a resumed run hold already.
    """

    def __init__(
        self,
        run: Run,
        logged: str,
        *,
        save_every: float = SAVE_EVERY,
        on_step: OnStep | None = None,
        preview_every: int = 0,
        columns: int = 8,
        done: int = 0,
    ):
        check_number("save_every", save_every, float, least=0)
        self.run, self.logged, self.save_every, self.on_step = run, logged, save_every, on_step
        self.preview_every, self.columns, self.done = preview_every, columns, done
        self.stopped = False
        self.saved = time.monotonic()
        self.unsaved: Progress | None = None

    def __enter__(self) -> "Recorder":
        if self.run.log.exists():
            existing_file(self.run.log)  # opening a pipe would wait for ever
        self.log = self.run.log.open("a", encoding="utf-8")
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self._save()
        self.log.close()

    def __call__(self, progress: Progress) -> None:
        """Write what is due at this step."""
        if self.on_step:
            self.on_step(progress)
        self.stopped = self.stopped or progress.stopped
        if progress.phase != self.logged:
            return
        if progress.step > self.done:
            self.log.write(json.dumps({"step": progress.step, **progress.values}) + "\n")
            self.unsaved = progress
        last = self.stopped or progress.step == progress.total
        if progress.preview and self.preview_every and (last or progress.step % self.preview_every == 0):
            self._draw(progress.step, to_uint8(progress.preview()))  # first: a resumed run does not repeat this step
        if last or time.monotonic() - self.saved >= self.save_every:
            self._save()

    def _draw(self, step: int, images) -> None:
        rows = [Row("", images[i : i + self.columns]) for i in range(0, len(images), self.columns)]
        write_sheet(self.run.folder / PREVIEWS / f"{step:06d}.png", rows)

    def _save(self) -> None:
        if self.unsaved:
            self.log.flush()
            self.run.write_state(self.unsaved.state())
            self.saved, self.unsaved = time.monotonic(), None
