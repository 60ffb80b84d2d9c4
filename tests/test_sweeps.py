"""Sweeps: which runs there are, that each is what `learn` makes, and that nothing is lost or computed again."""

import csv
import json
import multiprocessing
import os
import re
import signal
import threading
import time

import pytest
import torch

import direction_finder as df
from direction_finder.errors import InputError
from direction_finder.files import DIRECTIONS, LOG, STATE
from direction_finder.locks import LOCK, locked
from direction_finder.parallel import Died
from direction_finder.sweeps import api, running, table, tasks
from direction_finder.sweeps.plan import MOST_RUNS
from tests.conftest import NUM_CLASSES, call, dcgan_state
from tests.process import finish, start, wait_for

DIRECT = {"points": 5, "epsilon": 0.2}


@pytest.fixture(scope="module")
def spec(dcgan_file) -> str:
    return f"dcgan:{dcgan_file}"


@pytest.fixture(scope="module")
def generator(spec):
    return df.load_generator(spec, num_classes=NUM_CLASSES)


def swept(spec, out, *methods, **more):
    given = {"workers": 1, "loading": {"num_classes": NUM_CLASSES}, **more}
    return df.sweep(spec, out, methods or "jacobian", **given)


def contents(folder) -> dict[str, bytes]:
    """The files of all runs in a folder that do not name the time."""
    return {
        f"{path.parent.name}/{path.name}": path.read_bytes()
        for path in folder.glob("*/*")
        if path.name in (DIRECTIONS, LOG, STATE)
    }


@pytest.fixture(scope="module")
def plain(generator, tmp_path_factory):
    """What a plain loop over `learn` makes of two classes and two seeds, on one thread."""
    folder = tmp_path_factory.mktemp("plain")
    with api._threads(1):
        for index, seed in ((0, 0), (0, 1), (2, 0), (2, 1)):
            out = folder / f"jacobian-{index}-class-{index}-seed-{seed}"
            df.learn(generator, class_name=index, seed=seed, out=out, **DIRECT)
    return contents(folder)


BOTH = {"class_name": ["class 0", "2"], "seed": range(2), **DIRECT}


def test_every_run_is_what_learn_makes_and_the_table_lists_it(spec, plain, tmp_path):
    rows = swept(spec, tmp_path / "sweep", **BOTH)
    assert contents(tmp_path / "sweep") == plain and len(plain) == 12
    assert [(row["class"], row["seed"], row["status"]) for row in rows] == [
        ("class 0", 0, "done"), ("class 2", 0, "done"), ("class 0", 1, "done"), ("class 2", 1, "done")
    ]  # fmt: skip
    config = json.loads((tmp_path / "sweep" / rows[0]["folder"] / "config.json").read_text())
    assert rows[0]["reason"] == config["finding"]["reason"] == "all 5 points"
    assert rows[0]["passes"] == config["finding"]["images"] > 0 and rows[0]["seconds"] > 0
    assert rows[0]["share"] == df.open_run(tmp_path / "sweep" / rows[0]["folder"]).directions.share["share"]
    assert [json.loads(line) for line in (tmp_path / "sweep" / "runs.jsonl").read_text().splitlines()] == rows
    with (tmp_path / "sweep" / "runs.csv").open() as file:
        assert [row["folder"] for row in csv.DictReader(file)] == [row["folder"] for row in rows]
    assert {path.name for path in (tmp_path / "sweep").iterdir()} == {
        "index.html", "runs.csv", "runs.jsonl", "shared.csv", *(row["folder"] for row in rows)
    }  # fmt: skip


def test_what_is_done_is_not_computed_again_and_what_is_missing_is(spec, tmp_path, monkeypatch):
    rows = swept(spec, tmp_path / "sweep", "random", class_name="0-1")
    begun = []
    monkeypatch.setattr(running, "carry_out", lambda task, stopping: begun.append(task.folder) or carry(task, stopping))
    carry = tasks.carry_out
    assert swept(spec, tmp_path / "sweep", "random", class_name="0-1") == rows and not begun
    directions = tmp_path / "sweep" / rows[1]["folder"] / DIRECTIONS
    before = directions.read_bytes()
    directions.unlink()
    more = swept(spec, tmp_path / "sweep", "random", class_name="0-2")
    assert [path.name for path in begun] == [rows[1]["folder"], "random-2-class-2-seed-0"]
    assert [row["status"] for row in more] == ["done"] * 3 and directions.read_bytes() == before


def stop_after(steps: int):
    """Stop a sweep when it has asked so often whether to stop."""
    calls = []

    def on_step(progress):
        calls.append(progress)
        if len(calls) == steps:
            progress.stop()

    return on_step


def test_a_sweep_that_is_stopped_goes_on_later(spec, plain, tmp_path):
    stops = halves = 0
    for steps in range(2, 60, 3):  # before, within and after runs
        rows = swept(spec, tmp_path / "sweep", progress=stop_after(steps), save_every=0, **BOTH)
        assert len(rows) == 4
        if all(row["status"] == "done" for row in rows):
            break
        stops += 1
        here = [df.open_run(path.parent) for path in (tmp_path / "sweep").glob(f"*/{STATE}")]
        halves += any(not run.finished for run in here)
    assert stops >= 2 and halves >= 1 and contents(tmp_path / "sweep") == plain


def test_progress_says_what_is_done_failed_and_left(spec, tmp_path):
    told = []
    swept(spec, tmp_path / "sweep", "random", "sefa", class_name=["0", "1"], progress=told.append, read=("layer9",))
    values = [progress.values for progress in told]
    assert values[0] == {"done": 0, "failed": 0, "left": 4} and values[-1] == {"done": 2, "failed": 2, "left": 0}
    assert (told[-1].step, told[-1].total, told[-1].unit) == (4, 4, "run")


def test_a_process_loads_the_generator_once_and_forgets_it_in_the_end(spec, tmp_path, monkeypatch):
    loads, load = [], tasks.Loader.load
    monkeypatch.setattr(tasks.Loader, "load", lambda *given, **more: loads.append(given) or load(*given, **more))
    swept(spec, tmp_path / "sweep", "random", class_name="0-2", seed=[0, 7])
    assert len(loads) == 1 and not tasks._kept


def test_a_run_that_fails_does_not_end_the_others_and_is_tried_again(spec, tmp_path):
    rows = swept(spec, tmp_path / "sweep", "sefa", "random", read=("layer9",))
    assert [row["status"] for row in rows] == ["failed", "done"] and "layer9" in rows[0]["reason"]
    assert not (tmp_path / "sweep" / rows[0]["folder"]).exists()
    assert (
        swept(spec, tmp_path / "sweep", "random")[0]["folder"] == rows[1]["folder"]
    )  # another sweep keeps the failure
    assert '"failed"' in (tmp_path / "sweep" / "runs.jsonl").read_text()
    assert [row["status"] for row in swept(spec, tmp_path / "sweep", "sefa", "random")] == ["done", "done"]


def test_shards_make_all_runs_together_and_none_twice(spec, plain, tmp_path):
    first = swept(spec, tmp_path / "sweep", shard=(1, 2), **BOTH)
    assert [row["status"] for row in first] == ["done", "left", "done", "left"]
    with locked(tmp_path / "sweep", name=f"{LOCK}-1-of-2"):  # the first shard may still be at work
        second = swept(spec, tmp_path / "sweep", shard=(2, 2), **BOTH)
    assert [row["status"] for row in second] == ["done"] * 4 and contents(tmp_path / "sweep") == plain


def test_a_setting_is_for_the_methods_that_have_it(spec, tmp_path):
    rows = swept(spec, tmp_path / "sweep", "jacobian", "random", points=4, score_samples=1, seed=5)
    settings = [df.open_run(tmp_path / "sweep" / row["folder"]).config["settings"] for row in rows]
    assert settings[0]["points"] == 4 and "score_samples" not in settings[0]
    assert settings[1]["score_samples"] == 1 and {each["seed"] for each in settings} == {5}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"points": 4, "method": ["random"]}, "no method of this sweep has a setting points; jacobian"),
        ({"method": ["best"]}, "unknown method 'best'"),
        ({"class_name": "0-5"}, "class '3' does not exist"),
        ({"part": "mid"}, "part 'mid' does not exist"),
        ({"seed": []}, "no runs: give at least one `method` and one `seed`"),
        ({"seed": range(MOST_RUNS + 1)}, "100,001 runs: expected at most 100,000"),
        ({"shard": (3, 2)}, "shard 3/2: expected a number from 1 to 2"),
        ({"workers": 0}, "workers is 0: expected at least 1"),
        ({"threads": 0}, "threads is 0"),
        ({"loading": {"colour": 1}}, "load_generator has no argument colour"),
    ],
)
def test_bad_input_is_refused_before_anything_is_made(spec, tmp_path, given, words):
    with pytest.raises(InputError, match=words):
        df.sweep(spec, tmp_path / "sweep", **{"workers": 1, "loading": {"num_classes": NUM_CLASSES}, **given})
    assert not (tmp_path / "sweep").exists()


def test_a_generator_has_to_be_named(generator, tmp_path):
    with pytest.raises(InputError, match="give what `load_generator` takes, a text"):
        df.sweep(generator, tmp_path / "sweep")


def test_a_folder_with_something_else_is_refused_and_left_as_it_is(spec, tmp_path):
    folder = tmp_path / "sweep"
    rows = swept(spec, folder, "jacobian", class_name="1", points=4)
    before = contents(folder)
    for given, words in (
        ({"points": 5}, "holds a run with points 4, not 5"),
        ({"points": 4, "threads": 2}, "holds a run with threads 1, not 2"),
        ({"points": 4, "loading": {"num_classes": NUM_CLASSES - 1}}, "holds a run with num_classes 3, not 2"),
    ):
        with pytest.raises(InputError, match=words):
            swept(spec, folder, "jacobian", class_name="1", **given)
    torch.save(dcgan_state(seed=1), tmp_path / "other.pth")
    with pytest.raises(InputError, match="holds a run with a generator of other weights"):
        swept(f"dcgan:{tmp_path / 'other.pth'}", folder, "jacobian", class_name="1", points=4)
    with pytest.raises(InputError, match="is a run folder; give another folder as `out`"):
        swept(spec, folder / rows[0]["folder"], "random")
    (folder / "runs.jsonl").write_text("mine\n")
    with pytest.raises(InputError, match="not the table of a sweep"):
        swept(spec, folder, "jacobian", class_name="1", points=4)
    (folder / "runs.jsonl").unlink()
    (folder / "runs.csv").write_text("mine,2\n")
    with pytest.raises(InputError, match="not the table of a sweep"):
        swept(spec, folder, "jacobian", class_name="1", points=4)
    assert contents(folder) == before and (folder / "runs.csv").read_text() == "mine,2\n"


def test_settings_that_a_run_chose_are_its_own_and_others_are_not(spec, tmp_path):
    given, folders = {"class_name": "0-1", "points": 4}, [tmp_path / name for name in ("chosen", "named", "mixed")]
    rows = swept(spec, folders[0], **given)
    (at,) = {tuple(df.open_run(folders[0] / row["folder"]).config["settings"]["at"]) for row in rows}
    assert swept(spec, folders[0], **given) == rows
    swept(spec, folders[1], **given, at=at)
    swept(spec, folders[1], **given)
    swept(spec, folders[2], class_name="1", points=4, at=("image",))
    with pytest.raises(InputError, match=r"class-1-seed-0: holds a run with at \['image'\], not \['middle'\]"):
        swept(spec, folders[2], **given)
    with pytest.raises(InputError, match="holds a run with precision exact, not fast"):
        swept(spec, folders[0], **given, precision="fast")
    swept(spec, tmp_path / "fast", **given, precision="fast")
    assert [row["status"] for row in swept(spec, tmp_path / "fast", **given, precision="fast")] == ["done"] * 2
    path = tmp_path / "fast" / rows[0]["folder"] / "config.json"
    path.write_text(re.sub('"precision": "[^"]*"', '"precision": "bfloat16:layer1"', path.read_text()))
    swept(spec, tmp_path / "fast", **given, precision="fast")
    with pytest.raises(InputError, match="holds a run with precision bfloat16:layer1, not exact"):
        swept(spec, tmp_path / "fast", **given)


def test_a_second_sweep_of_a_folder_is_refused(spec, tmp_path):
    with locked(tmp_path), pytest.raises(InputError, match="another process is writing in this folder"):
        swept(spec, tmp_path, "random")


def test_a_run_that_a_dying_process_still_holds_is_waited_for(spec, tmp_path):
    folder, held = tmp_path / "random-seed-0", threading.Event()

    def hold():
        with locked(folder, create=True):
            held.set()
            time.sleep(0.5)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    assert [row["status"] for row in swept(spec, tmp_path, "random")] == ["done"]
    thread.join()


def test_a_full_disk_ends_the_sweep_in_one_line(spec, tmp_path, monkeypatch):
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(tasks, "_learned", lambda task, stopping: (_ for _ in ()).throw(full))
    monkeypatch.setattr(table, "_write", lambda folder, rows: None)
    with pytest.raises(OSError, match="No space left"):
        swept(spec, tmp_path / "sweep", "random", class_name="0-2")


def test_a_worker_that_always_dies_is_a_failure(spec, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "in_lasting_processes", lambda *_: [(0, Died(-9))])
    (row,) = swept(spec, tmp_path / "sweep", "random")
    assert row["status"] == "failed" and "died each time (exit code -9)" in row["reason"]


def test_other_weights_in_a_worker_are_refused(spec, tmp_path, monkeypatch):
    monkeypatch.setattr(running, "carry_out", lambda task, stopping: carry(changed(task), stopping))
    carry = tasks.carry_out
    changed = lambda task: api.dataclasses.replace(task, record={**task.record, "weights_sha256": "0"})  # noqa: E731
    (row,) = swept(spec, tmp_path / "sweep", "random")
    assert "has other weights in a worker process" in row["reason"]


def test_a_killed_worker_costs_nothing_but_time(spec, plain, tmp_path):
    killed = []

    def kill(progress):
        children = [each for each in multiprocessing.active_children() if each.name.startswith("SpawnProcess")]
        if not killed and list((tmp_path / "sweep").glob(f"*/{LOG}")):
            killed.append(children[0].pid)
            os.kill(children[0].pid, signal.SIGKILL)

    rows = swept(spec, tmp_path / "sweep", workers=2, progress=kill, save_every=0, **BOTH)
    assert killed and [row["status"] for row in rows] == ["done"] * 4
    assert contents(tmp_path / "sweep") == plain
    assert not list((tmp_path / "sweep").rglob(".*"))


LONG = ("--points", 40, "--keep-going", "--save-every", 0)


def arguments(spec, out, *more) -> list[object]:
    return ["sweep", "--generator", spec, "--num-classes", NUM_CLASSES, "--class", "0-1", "--out", out, *LONG, *more]


def test_a_killed_driver_and_a_signal_leave_a_sweep_that_goes_on(spec, generator, tmp_path):
    out = tmp_path / "sweep"
    for number in (signal.SIGKILL, signal.SIGINT):
        process = start(*arguments(spec, out, "--workers", 1))
        steps = sum(map(lines, out.glob(f"*/{LOG}")))
        wait_for(lambda steps=steps: sum(map(lines, out.glob(f"*/{LOG}"))) > steps + 5)
        os.kill(process.pid, number)
        assert finish(process) == (130 if number == signal.SIGINT else -number)
    result = call(*arguments(spec, out, "--workers", 1))
    assert result.exit_code == 0 and "2 done, 0 failed, 0 left" in result.stdout, result.stderr
    with api._threads(1):
        for index in range(2):
            settings = {"points": 40, "keep_going": True}
            df.learn(
                generator,
                class_name=index,
                out=tmp_path / "plain" / f"jacobian-{index}-class-{index}-seed-0",
                **settings,
            )
    assert contents(out) == contents(tmp_path / "plain")


def lines(path) -> int:
    return path.read_bytes().count(b"\n")


def test_the_command_refuses_in_one_line_and_says_what_failed(spec, tmp_path):
    base = ("sweep", "--generator", spec, "--num-classes", NUM_CLASSES, "--workers", 1)
    for words, expected in (
        (("--method", "random"), "give --out"),
        (("--seed", "3-1", "--out", tmp_path / "a"), "expected a seed, or a range of seeds like 0-4"),
        (("--shard", "0/2", "--out", tmp_path / "a"), "from 1/8 to 8/8"),
        (
            ("--points", 4, "--method", "random", "--out", tmp_path / "a"),
            "no method of this sweep has a setting points",
        ),
    ):
        result = call(*base, *words)
        assert result.exit_code == 2 and expected in result.stderr and result.stderr.count("\n") == 1
    failed = call(*base, "--method", "sefa", "--read", "layer9", "--out", tmp_path / "sweep")
    assert failed.exit_code == 2 and "0 done, 1 failed, 0 left" in failed.stdout
    assert "1 run failed; repeat the command to try it again" in failed.stderr.splitlines()[-1]
    failed = call(*base, "--method", "sefa", "--read", "layer9", "--seed", "0-1", "--out", tmp_path / "sweep")
    assert "2 runs failed; repeat the command to try them again" in failed.stderr.splitlines()[-1]
    done = call(*base, "--method", "random", "--seed", "1-2", "--seed", 2, "--out", tmp_path / "other")
    assert done.exit_code == 0 and "2 done, 0 failed, 0 left" in done.stdout


def test_a_dry_run_says_what_is_left_and_what_it_costs_and_writes_nothing(spec, tmp_path):
    out = tmp_path / "sweep"
    base = ("sweep", "--generator", spec, "--num-classes", NUM_CLASSES, "--points", 8, "--keep-going", "--out", out)
    dry = call(*base, "--seed", "0-2", "--workers", 2, "--dry-run")
    assert dry.exit_code == 0 and not out.exists()
    assert dry.stdout.splitlines() == [f"jacobian-seed-{seed}" for seed in range(3)]
    assert call(*base, "--workers", 1).exit_code == 0
    before = contents(out)
    dry = call(*base, "--seed", "0-2", "--workers", 2, "--dry-run")
    assert dry.stdout.splitlines() == ["jacobian-seed-1", "jacobian-seed-2"] and contents(out) == before
    passes = table.row_of(df.open_run(out / "jacobian-seed-0"))["passes"]
    assert f"2 of 3 runs are left; at most {2 * passes:,} passes, " in dry.stderr and "on 2 workers" in dry.stderr
