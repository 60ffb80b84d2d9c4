"""Name the verbs of the command line."""

VERBS = {
    "learn": "Find directions in a generator.",
    "sweep": "Find directions in many runs, on several processes.",
    "bend": "Curve a run's directions, so that edits follow how they turn from point to point.",
    "rank": "List the directions that matter, and why.",
    "name": "Give a direction a name.",
    "render": "Render grids and videos of a run's directions.",
    "align": "Set many samples to one value along a direction.",
    "edit": "Apply several edits; save and replay them as a recipe.",
    "measure": "Measure directions and generators with numbers and figures.",
    "train": "Train a generator on images.",
    "finetune": "Fine-tune a ProGAN with the Hessian Penalty.",
    "scenes": "Render data sets with known factors.",
    "import": "Create a run from another tool's matrix of directions.",
    "export": "Write a run's directions as a matrix for other tools.",
    "page": "Write one HTML page on which one can follow a run's directions.",
    "gallery": "Write one HTML page that lists all runs.",
    "classes": "Search a generator's class names.",
    "info": "Describe any file or run: what it is, how it was made and what is wrong with it.",
}
