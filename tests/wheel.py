"""Build the wheel, install it into a clean environment without extras, and run it there."""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*command: object, expect: int = 0, **options) -> str:
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    if result.returncode != expect:
        sys.exit(f"{command} ended with {result.returncode}, expected {expect}:\n{result.stdout}{result.stderr}")
    return result.stdout + result.stderr


def check(condition: bool, what: str) -> None:
    if not condition:
        sys.exit(f"wheel: {what}")


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
        (wheel,) = folder.glob("*.whl")
        venv.create(folder / "clean", with_pip=True)
        scripts = folder / "clean" / ("Scripts" if os.name == "nt" else "bin")
        run(scripts / "python", "-m", "pip", "install", "--quiet", wheel)
        command = scripts / "direction-finder"
        check("learn" in run(command, "--help", cwd=folder), "--help does not list learn")
        check("--steps" in run(command, "learn", "--help", cwd=folder), "learn --help does not list --steps")
        check(
            "golden retriever" in run(command, "classes", "golden", cwd=folder), "the class names are not in the wheel"
        )
        tried = run(command, "learn", "--generator", "shapes-64", "--class", "cube", "--method", "random", "--out",
                    folder / "run", cwd=folder)  # fmt: skip
        check("24 directions" in tried, f"shapes-64 is not in the wheel: {tried}")
        missing = run(command, "learn", "--generator", "eyes", "--class", "blue", expect=2, cwd=folder)
        check("pip install 'direction-finder[demo]'" in missing, f"no word of the missing extra: {missing}")
    print("wheel: installed without extras, --help, classes, shapes-64 and the message for a missing extra are right")


if __name__ == "__main__":
    main()
