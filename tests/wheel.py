"""Build the wheel, install it into an empty environment outside the checkout, and run every verb there: without extras,
where a verb may end in the line that names its extra, and with them."""

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
IMAGES = "images"
TINY = ["--resolution", "16", "--batch-size", "4", "--kimg", "0.2", "--score-every", "0", "--threads", "1"]
WIDTHS = ["--width", "4", "--max-width", "4", "--fade-kimg", "0.02", "--stable-kimg", "0.02"]
VERBS = {  # what every verb is called with, in an order in which one makes what the next one needs
    "classes": [["golden"]],
    "learn": [["--generator", "clevr-1fov", "--points", "2", "--out", "run"],
              ["--generator", "shapes-64", "--class", "cube", "--method", "random", "--out", "shapes"],
              ["--generator", "shapes-st-rkm", "--points", "2", "--out", "st-rkm"],
              ["--generator", "shapes-vae", "--points", "2", "--out", "vae"]],
    "sweep": [["--generator", "clevr-1fov", "--method", "random", "--workers", "1", "--out", "swept"]],
    "bend": [["run", "--points", "8"]],
    "rank": [[name, "--samples", "2", "--hessians", "2", "--most", "1"] for name in ("run", "st-rkm", "vae")],
    "name": [["run", "0", "zoom"]],
    "render": [["grid", "run", "--samples", "1", "--steps", "3"],
               ["video", "run", "--samples", "1", "--seconds", "0.1", "--directions", "zoom"],
               ["grid", "run", "--samples", "1", "--directions", "zoom", "--even", "--out", "even.png"],
               ["grid", "st-rkm", "--samples", "1", "--steps", "3"], ["grid", "vae", "--samples", "1", "--steps", "3"]],
    "align": [["run", "--direction", "zoom", "--samples", "2"], ["st-rkm", "--direction", "0", "--samples", "2"],
              ["vae", "--direction", "0", "--samples", "2"]],
    "edit": [["run", "--step", "move:zoom=1", "--samples", "2"]],
    "measure": [["clevr-1fov", "--metric", "ppl", "--samples", "4"],
                *([name, "--metric", "activeness", "--samples", "2"] for name in ("run", "st-rkm", "vae"))],
    "page": [["run"], ["shapes", "--directions", "0", "--samples", "1"]],
    "gallery": [["."]],
    "export": [["run", "--out", "rows.npy"]],
    "import": [["rows.npy", "--generator", "clevr-1fov", "--out", "imported"]],
    "info": [["run"], ["imported"]],
    "scenes": [["shapes", "--num", "2", "--resolution", "16", "--out", "scenes", "--workers", "1"]],
    "train": [["progan", IMAGES, *WIDTHS, *TINY, "--out", "progan"]],
    "finetune": [["progan", IMAGES, "--penalty-weight", "0.1", *TINY, "--out", "finetuned"]],
}  # fmt: skip
TRY_ALL = """
import contextlib, io, json, sys, traceback
from direction_finder.commands import VERBS, main
results = {}
for line in json.load(sys.stdin):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            main(line)
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
    results[" ".join(line)] = [code, out.getvalue()]
json.dump({"verbs": list(VERBS), "results": results}, sys.stdout)
"""


def run(*command: object, expect: int = 0, **options) -> str:
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)
    if result.returncode != expect:
        sys.exit(f"{command} ended with {result.returncode}, expected {expect}:\n{result.stdout}{result.stderr}")
    return result.stdout


def check(condition: bool, what: str) -> None:
    if not condition:
        sys.exit(f"wheel: {what}")


def verbs(python: Path, folder: Path, extras: bool) -> int:
    """Call every verb in one process; the number of calls that ended in the line that names an extra."""
    folder.mkdir()
    (folder / IMAGES).mkdir()
    for number in range(8):
        Image.effect_noise((16, 16), 20 * number).convert("RGB").save(folder / IMAGES / f"{number}.png")
    lines = [[verb, *words] for verb, calls in VERBS.items() for words in calls]
    if extras:
        lines.append(["learn", "--generator", "eyes", "--class", "blue", "--method", "random", "--out", "eyes"])
    report = json.loads(run(python, "-c", TRY_ALL, cwd=folder, input=json.dumps(lines)))
    check(set(report["verbs"]) == set(VERBS), f"tried {sorted(VERBS)}, but there are {report['verbs']}")
    named = 0
    for line, (code, output) in report["results"].items():
        names_extra = code == 2 and "pip install 'direction-finder[" in output
        check(code == 0 or (names_extra and not extras), f"{line} ended with {code}:\n{output}")
        named += names_extra
    return named


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
        (wheel,) = folder.glob("*.whl")
        venv.create(folder / "clean", with_pip=True)
        scripts = folder / "clean" / ("Scripts" if os.name == "nt" else "bin")
        os.environ |= {"DIRECTION_FINDER_CONFIG": str(folder / "settings"), "OMP_NUM_THREADS": "1"}
        run(scripts / "python", "-m", "pip", "install", "--quiet", wheel)
        helped = run(scripts / "direction-finder", "learn", "--help", cwd=folder)
        check("--points" in helped, "learn --help does not list --points")
        without = verbs(scripts / "python", folder / "without", extras=False)
        check(without > 0, "without extras no verb named one")
        run(scripts / "python", "-m", "pip", "install", "--quiet", f"{wheel}[demo,measure,scenes]")
        verbs(scripts / "python", folder / "with", extras=True)
    print(f"wheel: every verb runs, outside the checkout; {without} calls name the extra that they lack")


if __name__ == "__main__":
    main()
