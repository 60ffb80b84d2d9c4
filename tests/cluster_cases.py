"""Sweeps on Ray clusters of two nodes. tests/test_cluster.py runs these in a network namespace with loopback only."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import direction_finder as df
from direction_finder.errors import InputError
from direction_finder.files import LOG
from direction_finder.sweeps import api
from tests import netless
from tests.conftest import NUM_CLASSES, call
from tests.test_sweeps import contents, lines

LOOPBACK = {"0100007F", "0" * 24 + "01000000", "0" * 16 + "FFFF0000" + "0100007F"}
GIVEN = {"points": 6, "keep_going": True, "loading": {"num_classes": NUM_CLASSES}}
WORDS = ("--points", 6, "--keep-going", "--num-classes", NUM_CLASSES)


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one CPU each, which a test may remove, and to which nothing else is connected."""
    home = os.environ.get("NETLESS")
    if not home or [name for _, name in socket.if_nameindex()] != ["lo"]:
        pytest.skip("run tests/test_cluster.py")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    made.second = made.add_node(**node)
    made.more = lambda: made.add_node(**node)
    yield made
    made.shutdown()
    assert netless.attempts() == 0


@pytest.fixture(scope="module")
def spec(dcgan_file) -> str:
    return f"dcgan:{dcgan_file}"


@pytest.fixture(scope="module")
def plain(spec, tmp_path_factory):
    """What a plain loop over `learn` makes of three classes and eight seeds."""
    folder, generator = tmp_path_factory.mktemp("plain"), df.load_generator(spec, num_classes=NUM_CLASSES)
    with api._threads(1):
        for index in range(NUM_CLASSES):
            for seed in range(8):
                out = folder / f"jacobian-{index}-class-{index}-seed-{seed}"
                df.learn(generator, class_name=index, seed=seed, out=out, points=6, keep_going=True)
    return contents(folder)


def some(plain: dict[str, bytes], *seeds: int) -> dict[str, bytes]:
    return {name: data for name, data in plain.items() if name.partition("/")[0].endswith(tuple(map(str, seeds)))}


def test_small_runs_have_the_bytes_of_a_plain_loop_and_nothing_leaves_the_machine(cluster, spec, plain, tmp_path):
    import ray

    told, held, handler = [], set(), signal.getsignal(signal.SIGTERM)

    def watch(progress):
        told.append(progress)
        held.add(ray.cluster_resources()["memory"] - ray.available_resources().get("memory", 0))

    rows = df.sweep(
        spec, tmp_path / "sweep", class_name="0-2", seed=[0, 1], address=cluster.address, progress=watch,
        upload=f"file://{tmp_path}/copies", **GIVEN,
    )  # fmt: skip
    assert max(held) > 2 * 2**27  # two workers, which have torch in memory
    assert [row["status"] for row in rows] == ["done"] * 6
    assert contents(tmp_path / "sweep") == some(plain, 0, 1) == contents(tmp_path / "copies") != {}
    assert told[0].values == {"done": 0, "failed": 0, "left": 6} and told[-1].values["done"] == 6
    assert not [path for path in (tmp_path / "sweep").rglob(".*")]
    assert signal.getsignal(signal.SIGTERM) is handler
    assert netless.listening() and netless.listening() <= LOOPBACK and netless.attempts() == 0
    assert not Path(os.environ["HOME"], ".ray").exists()


def test_small_what_cannot_be_is_refused_in_one_line(cluster, spec, tmp_path):
    base = ("sweep", "--generator", spec, *WORDS, "--out", tmp_path / "sweep", "--address")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        results = [call(*base, f"127.0.0.1:{port}")]
    results += [call(*base, f"127.0.0.1:{port}"), call(*base, cluster.address, "--threads", 64)]
    expected = ("timed out", "Connection refused", "no node of the cluster has 64 CPU, which a run needs")
    for result, words in zip(results, expected, strict=True):
        assert result.exit_code == 2 and words in result.stderr and result.stderr.count("\n") == 1, result.stderr
    assert not list((tmp_path / "sweep").glob("jac*"))


def test_whole_a_node_that_is_lost_costs_nothing_but_time(cluster, spec, plain, tmp_path):
    def lose(progress):
        if progress.step == 12 and cluster.second:
            cluster.remove_node(cluster.second, allow_graceful=False)
            cluster.second = None

    rows = df.sweep(
        spec, tmp_path / "sweep", class_name="0-2", seed=range(8), address=cluster.address, progress=lose, **GIVEN
    )
    cluster.second = cluster.second or cluster.more()
    assert [row["status"] for row in rows] == ["done"] * 24
    assert contents(tmp_path / "sweep") == plain and len(plain) == 72


def driver(*words: object, before: tuple[str, ...] = ()) -> subprocess.Popen:
    command = [*before, sys.executable, "-m", "direction_finder.commands", "sweep", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_whole_a_killed_driver_and_a_signal_leave_a_sweep_that_goes_on(cluster, spec, plain, tmp_path):
    out = tmp_path / "sweep"
    words = ("--generator", spec, *WORDS, "--class", "0-2", "--seed", "0-7", "--out", out, "--save-every", 0)
    for number in (signal.SIGKILL, signal.SIGTERM):
        process, before = driver(*words, "--address", cluster.address), sum(map(lines, out.glob(f"*/{LOG}")))
        while sum(map(lines, out.glob(f"*/{LOG}"))) < before + 20:
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(number)
        stdout, stderr = process.communicate()
        assert process.returncode == (130 if number == signal.SIGTERM else -number), stderr
    assert "Stopped; what was found is saved" in stderr and "0 failed" in stdout and "Ray" not in stdout + stderr
    result = call(*("sweep", *words), "--address", cluster.address)
    assert result.exit_code == 0 and "24 done, 0 failed, 0 left" in result.stdout, result.stderr
    assert contents(out) == plain


def test_whole_nodes_have_to_see_weights_and_folder(cluster, spec, tmp_path):
    """The driver alone sees a file system of its own."""
    for name, words in (("weights", "cannot load the generator"), ("out", "does not see the folder")):
        place = tmp_path / name
        place.mkdir()
        own = f'mount -t tmpfs none {place} && cp {spec.removeprefix("dcgan:")} {place}/small.pth && exec "$@"'
        weights, out = (place / "small.pth", tmp_path / "a") if name == "weights" else (spec[6:], place / "a")
        process = driver(
            "--generator", f"dcgan:{weights}", *WORDS, "--out", out, "--address", cluster.address,
            before=("unshare", "--mount", "sh", "-c", own, "own"),
        )  # fmt: skip
        _, stderr = process.communicate()
        assert process.returncode == 2 and stderr.count("\n") == 1, stderr
        assert f"a worker of the cluster {words}" in stderr and not list(out.glob("jac*"))


def test_whole_a_full_disk_on_a_node_is_one_line(cluster, spec, plain, tmp_path):
    out = tmp_path / "full"
    out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(out)], check=True)
    try:
        (out / "ballast").write_bytes(bytes(2**21 - 2**14))
        with pytest.raises(OSError, match="No space left on device"):
            df.sweep(spec, out, class_name="0", seed=[0, 1], address=cluster.address, **GIVEN)
        (out / "ballast").unlink()
        df.sweep(spec, out, class_name="0-2", seed=[0, 1], address=cluster.address, **GIVEN)
        assert contents(out) == some(plain, 0, 1)
    finally:
        subprocess.run(["umount", str(out)], check=True)


def test_whole_a_run_that_fails_does_not_end_the_others(cluster, spec, tmp_path):
    given = {"read": ("layer9",), "loading": GIVEN["loading"]}
    rows = df.sweep(spec, tmp_path / "sweep", ["sefa", "random"], address=cluster.address, workers=1, **given)
    assert [row["status"] for row in rows] == ["failed", "done"] and "layer9" in rows[0]["reason"]
    with pytest.raises(InputError, match="holds a run with device cpu, not cuda"):
        df.sweep(spec, tmp_path / "sweep", "random", address=cluster.address, device="cuda", loading=GIVEN["loading"])
