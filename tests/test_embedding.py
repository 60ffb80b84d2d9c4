"""What a page shows of a run folder: its own images, and nothing that a link leads to."""

import os
from pathlib import Path

import pytest

from direction_finder.reports.pages import embedding
from direction_finder.reports.pages.embedding import caption, figures


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "run" / "previews").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(b"secret")
    return tmp_path / "run"


def shown(folder: Path) -> tuple[dict[str, bytes], list[str]]:
    """The images that are shown, and the notes about others."""
    notes: list[str] = []
    found = {path.name: data for path, data in figures(folder, notes.append)}
    assert all("\n" not in note and note.startswith("An image is left out: ") for note in notes)
    return found, notes


def test_images_are_in_the_order_of_their_captions_and_then_the_last_preview(folder):
    for name in ("zebra.png", "align-2.png", "grid.png", "previews/000100.png", "previews/000020.png", "text.svg"):
        (folder / name).write_bytes(name.encode())
    found, notes = shown(folder)
    assert list(found) == ["grid.png", "align-2.png", "zebra.png", "000100.png"] and notes == []
    assert found["000100.png"] == b"previews/000100.png"
    assert caption(folder / "align-2.png").startswith("Samples unchanged") and caption(folder / "zebra.png") == ""


def test_links_out_of_the_folder_are_left_out_and_those_within_are_not(folder, tmp_path):
    (folder / "grid.png").write_bytes(b"grid")
    (folder / "same.png").symlink_to("grid.png")
    (folder / "a.png").symlink_to(tmp_path / "secret.png")
    (folder / "b.mp4").symlink_to("../secret.png")
    (folder / "previews" / "000009.png").symlink_to(tmp_path / "secret.png")
    found, notes = shown(folder)
    assert found == {"grid.png": b"grid", "same.png": b"grid"}
    assert len(notes) == 3 and all("a link to a file outside the run folder" in note for note in notes)


def test_a_linked_folder_of_previews_is_left_out(folder, tmp_path):
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "1.png").write_bytes(b"secret")
    (folder / "previews").rmdir()
    (folder / "previews").symlink_to(tmp_path / "others")
    assert shown(folder)[0] == {} and "outside the run folder" in shown(folder)[1][0]


def test_a_run_folder_that_is_a_link_shows_its_own_images(folder, tmp_path):
    (folder / "grid.png").write_bytes(b"grid")
    (tmp_path / "link").symlink_to(folder)
    assert shown(tmp_path / "link") == ({"grid.png": b"grid"}, [])


def test_what_is_no_file_or_too_large_is_left_out(folder, monkeypatch):
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    (folder / "gone.png").symlink_to("nowhere")
    (folder / "loop.png").symlink_to("loop.png")
    with (folder / "large.mp4").open("wb") as file:
        file.truncate(embedding.LARGEST + 1)
    found, notes = shown(folder)
    assert found == {} and len(notes) == 5
    assert any("large.mp4: 200 MB; a page shows files up to 200 MB" in note for note in notes)
    monkeypatch.setattr(Path, "read_bytes", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    (folder / "locked.png").touch()
    assert any("Permission denied" in note for note in shown(folder)[1])
