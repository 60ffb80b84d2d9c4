"""Run something where nothing leaves the machine: in a network namespace of its own that has loopback only.

Ray, when it is started as usual, asks the metadata address of clouds, reports its use and listens on all interfaces.
Every Ray of the tests runs here, is told not to, and is watched.
"""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9/",
    "RAY_AUTH_MODE": "disabled",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # elsewhere too: use loopback, without asking which address is ours
    "RAY_agent_register_timeout_ms": "120000",  # a busy machine starts it slowly
    "RAY_raylet_start_wait_time_s": "120",
}


def entering() -> list[str]:
    """The start of a command that runs in a namespace; skips the test where there are none."""
    if not shutil.which("unshare"):
        pytest.skip("no `unshare` here, so that Ray is not tried")
    for more in ([], ["--map-root-user"]):
        command = ["unshare", "--net", "--mount", *more, sys.executable, "-m", "tests.netless"]
        if subprocess.run([*command, "true"], cwd=ROOT, capture_output=True).returncode == 0:
            return command
    pytest.skip("this user may make no network namespace, so that Ray is not tried")


def begin_loopback() -> None:
    """What `ip link set lo up` does."""
    up, set_flags = 0x1, 0x8914  # IFF_UP, SIOCSIFFLAGS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", up))


def cases(*words: str) -> None:
    """Run tests of tests/cluster_cases.py there."""
    pytest.importorskip("ray", reason="Ray is not installed")
    command = [*entering(), sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "tests/cluster_cases.py"]
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as home:  # a short path: there are sockets in it
        Path(home, "ray_bootstrap_config.yaml").write_text("{}\n")  # without it, Ray asks in which cloud it is
        own = {"HOME": home, "RAY_TMPDIR": home, "PYTHONPATH": str(ROOT), "NETLESS": home, "OMP_NUM_THREADS": "1"}
        environment = {**os.environ, **QUIET, **own}
        ended = subprocess.run([*command, *words], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout and "skipped" not in ended.stdout, ended.stdout


def attempts() -> int:
    """How many packets this namespace could not send, because they were for elsewhere."""
    lines = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Ip:")]
    count = int(dict(zip(*lines, strict=True))["OutNoRoutes"])
    newer = dict(line.split() for line in Path("/proc/net/snmp6").read_text().splitlines())
    return count + int(newer.get("Ip6OutNoRoutes", 0))


def listening() -> set[str]:
    """The addresses on which this namespace listens, as hexadecimal digits."""
    found = set()
    for name in ("tcp", "tcp6"):
        rows = [line.split() for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
        found |= {row[1].partition(":")[0] for row in rows if row[3] == "0A"}
    return found


if __name__ == "__main__":
    begin_loopback()
    os.execvp(sys.argv[1], sys.argv[1:])
