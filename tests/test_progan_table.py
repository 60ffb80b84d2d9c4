"""`benchmarks.progan_table` takes the best checkpoint of a training, also with three components of z."""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file

from benchmarks import progan_table
from direction_finder.datasets import Images
from direction_finder.generators.networks.progan import ProGAN


@pytest.mark.slow
def test_a_row_has_every_column_of_tables_1_and_2(tmp_path, monkeypatch, rng):
    for name, few in (("LATENTS", 5), ("HESSIANS", 3), ("PATHS", 8), ("IMAGES", 4)):
        monkeypatch.setattr(progan_table, name, few)
    monkeypatch.setattr(progan_table, "Images", lambda folder: Images(folder, resolution=8))
    for number in range(4):
        Image.fromarray(np.full((8, 8, 3), 60 * number, np.uint8)).save(tmp_path / f"{number}.png")
    for dim in (3, 12):
        weights = {name: 0.5 * value for name, value in ProGAN(dim, (6, 4)).state_dict().items()}
        save_file(weights, tmp_path / f"best-{dim}.safetensors")
    models = [f"z {dim}=progan:{tmp_path}/best-{dim}.safetensors" for dim in (3, 12)]
    result = CliRunner().invoke(progan_table.main, [str(tmp_path), *models, "--figure", str(tmp_path / "bars.png")])
    assert result.exit_code == 0, result.output
    head, _, *rows = [dict(enumerate(line.strip("| ").split(" | "))) for line in result.output.splitlines()]
    columns = {name: place for place, name in head.items()}
    assert len(rows) == 2
    for row, dim in zip(rows, (3, 12), strict=True):
        assert row.keys() == head.keys() and row[0] == f"z {dim}" and row[columns["active"]].endswith(f"of {dim}")
        assert len(row[columns["activeness"]].split()) == dim
        for name in ("D%", "D_R", "D% bending", "ratio of sums", "path length"):
            value, low, high = (float(part.strip("[],")) for part in row[columns[name]].split())
            assert low <= value <= high and value > 0, name
        assert float(row[columns["Frechet"]]) > 0
    assert (tmp_path / "bars.png").stat().st_size > 1000
