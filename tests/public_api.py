"""The Python of README.md and docs/from-python.md, for the type checker. See test_readme.py."""

import json

import torch
from safetensors import safe_open

import direction_finder as df

# README.md
generator = df.load_generator("shapes-64")
directions = df.find(generator, class_name="cube", points=8, progress=True)
ranking = df.rank(generator, directions, most=4, samples=4, hessians=4)
samples = generator.samples(3, seed=0, class_name="cube")

first, second = ranking.best[:2]
edited = df.move(samples, 2 * first - second)
df.compare(generator, {"original": samples, "edited": edited}).save("edits.png")
df.grid(generator, ranking.best, samples, steps=5).save("grid.png")
directions.save("directions.safetensors")

# docs/from-python.md
generator = df.load_generator("clevr-1fov")
directions = df.find(generator, "coordinates").named(0, "x")
samples = generator.samples(4, seed=0)

edit = 2 * directions["x"] - 0.5 * directions[1]
moved = df.move(samples, edit)
further = df.align(samples, directions["x"], df.percentile(generator.samples(1000), directions["x"], 75))
print(directions.finding)
samples[:2].save("two.safetensors")
again = generator.accept(df.Samples.load("two.safetensors"))
df.grid(generator, directions["x"], again, steps=3).save("grid.png")
run = df.learn("clevr-1fov", "hessian", steps=3, batch_size=2, out="run")
run = df.open_run("run")
run.resume(steps=4)
print(run.directions, run.config["settings"]["steps"], run.generator().name)


def strongest_weights(generator: df.Generator, config: df.SearchConfig) -> torch.Tensor:
    first = next(weight for weight in generator.parameters() if weight.ndim >= 2)
    return torch.linalg.svd(first.flatten(1))[2][: generator.dim, : generator.dim]


directions = df.find(generator, strongest_weights)
ranking = df.rank(generator, directions[:4], samples=2, hessians=0)

with safe_open("run/directions.safetensors", framework="pt") as file:
    vectors, about = file.get_tensor("vectors"), json.loads(file.metadata()["direction_finder"])
z = torch.randn(4, vectors.shape[1])
moved_z = z + 2.0 * about.get("scale", 1.0) * vectors[0]
