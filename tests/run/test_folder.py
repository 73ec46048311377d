import os

import pytest

from verax.errors import InputError
from verax.run import claim, file_names, inspect, publishing, replacing, seal, unseal, write
from verax.run._folder import publish

HOSTILE = [
    "../../../../evil",
    "/tmp/evil",
    "a" * 300,
    "a" * 299 + "b",
    "SR 1",
    "SR/1",
    "sr-1",
    ("a_b", "c"),
    ("a", "b_c"),
    "a_b_c",
    "nul",
    "CON.x",
    "",
    ".",
    "..",
    "a\0b",
    "a\nb",
    "é",
    "e\u0301",
    "μ",
    "ν",
    "\ud800",
    ".hidden",
    "ends.",
    "-rf",
    "stage.json",
    ("x",),
    "x",
]


def test_hostile_names_become_files_of_their_own(tmp_path):
    names = file_names(HOSTILE)
    assert list(names) == HOSTILE
    assert len({name.lower() for name in names.values()}) == len(HOSTILE)
    for name in names.values():
        assert len(name) <= 80
        (tmp_path / f"{name}.png").write_text(name)
    assert len(list(tmp_path.iterdir())) == len(HOSTILE)
    assert not any(name.lower().split(".")[0] in ("nul", "con") for name in names.values())


def test_a_name_made_to_collide_does_not():
    first = file_names(["SR 1", "SR/1"])
    again = file_names(["SR 1", "SR/1", first["SR 1"], first["SR/1"].upper()])
    assert len({name.lower() for name in again.values()}) == 4
    assert again["SR 1"] == first["SR 1"]


def test_ordinary_names_stay_as_they_are():
    assert file_names(["scan_pseudo-experiment", ("score", "low", "observed")]) == {
        "scan_pseudo-experiment": "scan_pseudo-experiment",
        ("score", "low", "observed"): "score_low_observed",
    }


def test_a_seal_is_broken_by_any_change(tmp_path):
    path, content = tmp_path / "a.json", {"a": 1, "b": ["x"]}
    whole = seal(content)
    path.write_bytes(whole)
    assert unseal(path) == content
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        assert unseal(path) is None or unseal(path) == content  # white space may change


def test_a_link_is_replaced_and_what_it_leads_to_unharmed(tmp_path):
    mine, link = tmp_path / "mine", tmp_path / "link"
    mine.write_text("mine")
    link.symlink_to(mine)
    write(link, b"new")
    assert (mine.read_text(), link.read_text(), link.is_symlink()) == ("mine", "new", False)
    with pytest.raises(ZeroDivisionError), replacing(link) as part:
        part.write_text(f"half {1 / 0}")
    assert link.read_text() == "new"
    assert {p.name for p in tmp_path.iterdir()} == {"mine", "link"}


def test_a_pipe_or_a_device_is_no_place_for_a_file(tmp_path):
    """Whoever may do all would put a file in the place of /dev/null."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="pipe: got a device, a pipe or a folder"):
        write(pipe, b"new")
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_new_files_have_the_rights_that_the_user_gives(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "a", b"a")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_what_is_made_is_published_whole_or_not_at_all(tmp_path):
    claim(tmp_path, "a comparison")
    with pytest.raises(ZeroDivisionError), publishing(tmp_path, print) as place:
        (place / "page.html").write_text(f"half {1 / 0}")
    assert {p.name for p in tmp_path.iterdir()} == {".verax"}
    with publishing(tmp_path, print) as place:
        (place / "figures").mkdir()
        (place / "figures" / "a.png").write_text("png")
        (place / "page.html").write_text("page")
    assert {p.name for p in tmp_path.rglob("*")} == {".verax", "figures", "a.png", "page.html"}


def test_a_stop_between_two_publications_goes_on_from_either(tmp_path, monkeypatch):
    claim(tmp_path, "a")
    publish(tmp_path, {"a": b"old", "b": b"old"}, pytest.fail)
    real, calls = os.replace, []

    def stop(*paths):
        calls.append(paths)
        if len(calls) == 3:  # after the mark and the first file
            raise KeyboardInterrupt
        real(*paths)

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path, {"a": b"new", "b": b"new"}, pytest.fail)
    monkeypatch.setattr(os, "replace", real)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()
    publish(tmp_path, {"a": b"third"}, pytest.fail)
    assert {p.name for p in tmp_path.iterdir()} == {".verax", "a"}


def test_only_an_empty_folder_is_taken(tmp_path):
    (tmp_path / ".DS_Store").write_text("finder")
    assert inspect(tmp_path, "a").whole
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt"):
        claim(tmp_path, "a")
    assert {p.name for p in tmp_path.iterdir()} == {".DS_Store", "notes.txt"}
