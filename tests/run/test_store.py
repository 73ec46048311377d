import json
import multiprocessing
from dataclasses import dataclass, field

import jax
import numpy as np
import pytest

from verax.errors import InputError
from verax.results import Coverage, Interval, Status
from verax.run import HOW, Progress, Run, checksum_of, checksums, named, record, remove, seal, to_json, unseal
from verax.run._pack import load, save

TYPES = named(Interval, Coverage)


def open_run(folder, inputs=None, **options):
    return Run(folder, (inputs or {}).get, **options)


def test_results_come_back_bit_for_bit(tmp_path):
    interval = Interval("mu", 0.6827, np.array(1.0), np.array(0.1), np.array(np.inf), np.array(Status.OK))
    given = {"x": (interval, None, [1, "two", True]), "c": Coverage(0.68, 0.7, 0.01, 1.0, 0.1, 10, 0), "f": np.pi}
    save(tmp_path, given, TYPES)
    back = load(tmp_path, TYPES)
    assert back["f"] == np.pi
    assert back["c"] == given["c"]
    found, none, rest = back["x"]
    assert (none, rest) == (None, [1, "two", True])
    assert isinstance(found, Interval)
    assert found.high == np.inf
    assert found.value.dtype == np.float64


def test_only_types_of_the_run_are_kept_and_made(tmp_path):
    @dataclass
    class Other:
        x: int

    with pytest.raises(TypeError, match="not among the types"):
        save(tmp_path, Other(1), TYPES)
    save(tmp_path, Other(1), {"Interval": Other})
    with pytest.raises(TypeError):
        load(tmp_path, TYPES)  # an interval without a value
    with pytest.raises(KeyError):
        load(tmp_path, {})


@pytest.mark.parametrize(
    "result",
    [
        {"type": "verax.effects:_find", "fields": {"name": "EVIL:f"}},
        {"type": "verax.cli._main:main", "fields": {"arguments": []}},
        {"function": "verax.effects:_find"},
        {"tuple": [{"type": "Evil", "fields": {}}]},
    ],
)
def test_a_run_folder_runs_no_code(result, tmp_path, capsys):
    """Not even with records that were made to fit: a name of the package is no type of a run."""
    evil = tmp_path / "evil.py"
    evil.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef f(): pass\n")
    with open_run(tmp_path / "run", types=TYPES) as run:
        run("a", lambda *_: 1)
    stage = tmp_path / "run" / "stages" / "a"
    (stage / "result.json").write_text(json.dumps(result).replace("EVIL", str(evil)))
    with open_run(tmp_path / "run", types=TYPES) as run:
        assert run("a", lambda *_: 1) == 1
        assert run.notes == ["stages/a/result.json: changed since it was written; the stage is done again"]
    (stage / "result.json").write_text(json.dumps(result).replace("EVIL", str(evil)))
    record = unseal(stage / "stage.json")
    record["files"]["result.json"] = checksum_of(stage / "result.json")
    (stage / "stage.json").write_bytes(seal(record))
    with open_run(tmp_path / "run", types=TYPES) as run:
        assert run("a", lambda *_: 1) == 1
        assert len(run.notes) == 1
        assert "cannot be read" in run.notes[0]
    assert not (tmp_path / "ran").exists()


def test_a_stage_is_done_once_and_again_when_inputs_change(tmp_path):
    calls = []

    def work(run, folder):
        calls.append(1)
        (folder / "file.txt").write_text("whole")
        return {"calls": len(calls)}

    for inputs, expected in (({"a": 1}, 1), ({"a": 1}, 1), ({"a": 2}, 2)):
        with open_run(tmp_path, inputs) as run:
            assert run("a", work) == {"calls": expected}
            assert (run.path("a") / "file.txt").read_text() == "whole"


def test_a_later_stage_follows_an_earlier_one(tmp_path):
    calls = []

    def work(run, folder, *earlier):
        calls.append(earlier)
        return len(calls)

    for first in (1, 2):
        with open_run(tmp_path, {"a": first}) as run:
            run("b", work, run("a", work))
    assert len(calls) == 4


@dataclass(frozen=True)
class Part:
    width: float
    chunk: int = field(default=100, metadata=HOW)


def test_a_stage_is_done_again_when_an_argument_changes(tmp_path):
    calls = []

    def work(run, folder, *arguments):
        calls.append(arguments)
        return len(calls)

    key = jax.random.key
    given = (Part(0.1), key(1), {"a": (1, None)})
    same = [given, (Part(0.1, chunk=7), key(1), {"a": (1, None)})]
    others = [
        (Part(0.2), *given[1:]),
        (given[0], key(2), given[2]),
        (*given[:2], {"a": (1, 0)}),
        (*given[:2], {"b": 1}),
    ]
    for arguments in (*same, *same[:1]):
        with open_run(tmp_path) as run:
            assert run("a", work, *arguments) == 1
    for n, arguments in enumerate([*others, (*given[:2], {"a": (1.0, None)}), (*given[:2], {"a": [1, None]})], 2):
        with open_run(tmp_path) as run:
            assert run("a", work, *arguments) == n


def test_a_stage_depends_on_those_whose_results_it_is_given(tmp_path):
    def work(run, folder, *arguments):
        return {"given": len(arguments)}

    done = []
    for first in (1, 1, 2):
        heard = Progress()
        heard.stage = lambda name, *, reused: done[-1].append(name) if not reused else None
        done.append([])
        with open_run(tmp_path, progress=heard) as run:
            a, b = run("a", work, first), run("b", work, 1)
            run("of a", work, a)
            run("of b", work, b)
            run("of what a says", work, a, of="the same")
            run("of both", work, a, b)
    assert done == [["a", "b", "of a", "of b", "of what a says", "of both"], [], ["a", "of a", "of both"]]


def test_a_stage_reads_no_files_of_stages_that_it_does_not_depend_on(tmp_path):
    with open_run(tmp_path) as run:
        a = run("a", lambda *_: {"a": 1})
        assert run("b", lambda run, folder, a: run.path("a").name, a) == "a"
        with pytest.raises(LookupError, match="files of 'a', whose result is not among its arguments"):
            run("c", lambda run, folder: run.path("a").name)
        assert run.path("a").is_dir()


def test_what_cannot_be_told_from_another_is_no_argument(tmp_path):
    with open_run(tmp_path) as run, pytest.raises(TypeError, match="no stage can be given"):
        run("a", lambda *_: 1, object())


def test_a_stage_that_fails_leaves_nothing(tmp_path):
    def fails(run, folder):
        (folder / "half.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), open_run(tmp_path) as run:
        run("a", fails)
    assert list((tmp_path / "stages").iterdir()) == []
    with open_run(tmp_path) as run:
        assert run("a", lambda run, folder: 1) == 1


def test_a_killed_stage_is_swept_up(tmp_path):
    with open_run(tmp_path):
        pass
    (tmp_path / "stages" / ".verax-a").mkdir()
    (tmp_path / "stages" / ".verax-a" / "half.txt").write_text("half")
    (tmp_path / ".verax-1.json").write_text("half")
    (tmp_path / "stages" / ".git").mkdir()  # not ours
    (tmp_path / "stages" / ".DS_Store").write_text("finder")
    with open_run(tmp_path) as run:
        assert run("a", lambda run, folder: 1) == 1
        assert not (run.path("a") / "half.txt").exists()
    assert {p.name for p in (tmp_path / "stages").iterdir()} == {"a", ".git", ".DS_Store"}
    assert {p.name for p in tmp_path.iterdir()} == {".lock", ".verax", "stages"}


def test_until_ends_the_block(tmp_path):
    with open_run(tmp_path, until="a") as run:
        run("a", lambda run, folder: 1)
        pytest.fail("the block should have been left")
    assert run.results == {"a": 1}


def _hold(folder, held, release):
    with open_run(folder):
        held.set()
        release.wait(60)


def test_a_folder_is_used_by_one_run_at_a_time(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, release))
    other.start()
    try:
        assert held.wait(60)
        with pytest.raises(InputError, match="in use by another run"), open_run(tmp_path):
            pass
    finally:
        release.set()
        other.join()
    with open_run(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="a folder that can be written"), open_run(tmp_path / "file" / "run"):
        pass


def test_published_files_stand_at_the_top(tmp_path):
    def work(run, folder):
        (folder / "figures").mkdir()
        (folder / "figures" / "a.png").write_bytes(b"png")
        (folder / "report.html").write_text("page")

    with open_run(tmp_path) as run:
        run("report", work)
        run.publish("report")
    assert (tmp_path / "figures" / "a.png").read_bytes() == b"png"
    assert {p.name for p in tmp_path.iterdir()} == {".lock", ".verax", "stages", "figures", "report.html"}


def test_checksums_follow_the_content(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one")
    first = checksums([path])
    path.write_text("two!")
    assert checksums([path]) != first
    assert checksums([tmp_path / "no"]) == {str(tmp_path / "no"): "missing"}


def measured(run, folder, value=1.5):
    """A stage with files of its own."""
    (folder / "figures").mkdir()
    (folder / "figures" / "a.png").write_bytes(b"png")
    (folder / "report.html").write_text("page")
    return Interval("mu", 0.68, np.array(value), np.array(1.0), np.array(2.0), np.array(Status.OK))


@pytest.mark.parametrize("name", ["stage.json", "result.json", "arrays.npz", "figures/a.png"])
@pytest.mark.parametrize(
    "damage",
    ["", "{}", "[]", "null", '{"fingerprint": 1}', b"\xff\xfe\x00", "[" * 100_000, None, "link", "folder", "half"],
)
def test_a_damaged_stage_is_done_again_and_said(name, damage, tmp_path):
    with open_run(tmp_path, types=TYPES) as run:
        run("a", measured)
    path = tmp_path / "stages" / "a" / name
    content = path.read_bytes()
    path.unlink()
    match damage:
        case "link":
            (tmp_path / "elsewhere").write_bytes(content)
            path.symlink_to(tmp_path / "elsewhere")
        case "folder":
            path.mkdir()
        case "half":
            path.write_bytes(content[: len(content) // 2])
        case str():
            path.write_text(damage)
        case bytes():
            path.write_bytes(damage)
    with open_run(tmp_path, types=TYPES) as run:
        assert run("a", measured).value == 1.5
        assert len(run.notes) == 1
        assert "a" in run.notes[0]
        assert "done again" in run.notes[0]
    assert path.read_bytes() == content or name == "stage.json"
    with open_run(tmp_path, types=TYPES) as run:
        run("a", lambda *_: pytest.fail("done a third time"))
        assert run.notes == []


def test_a_digit_of_a_result_is_not_believed(tmp_path):
    with open_run(tmp_path) as run:
        run("a", lambda *_: {"limit": 1.25})
    path = tmp_path / "stages" / "a" / "result.json"
    path.write_text(path.read_text().replace("1.25", "2.25"))
    with open_run(tmp_path) as run:
        assert run("a", lambda *_: {"limit": 1.25}) == {"limit": 1.25}


@pytest.mark.parametrize("damaged", [False, True])
def test_notes_of_the_user_in_a_stage_stay_when_it_is_done_again(damaged, tmp_path):
    """The stage's own old files go where its record tells; a name that the stage takes is the stage's."""
    with open_run(tmp_path / "run", types=TYPES) as run:
        run("a", lambda run, folder: (folder / "old.txt").write_text("verax's"))
    stage, linked = tmp_path / "run" / "stages" / "a", tmp_path / "linked"
    linked.mkdir()
    (linked / "far.txt").write_text("mine")
    (stage / "mine").mkdir()
    for name in ("notes.txt", "mine/plot.txt", "new.txt"):
        (stage / name).write_text("mine")
    (stage / "link").symlink_to(linked)
    if damaged:
        (stage / "stage.json").write_text("{}")
    with open_run(tmp_path / "run", {"a": 2}, types=TYPES) as run:
        run("a", lambda run, folder: (folder / "new.txt").write_text("verax's"))
    assert [(stage / n).read_text() for n in ("notes.txt", "mine/plot.txt", "link/far.txt")] == ["mine"] * 3
    assert (stage / "new.txt").read_text() == "verax's"
    assert (stage / "old.txt").exists() == damaged
    assert (linked / "far.txt").read_text() == "mine"


def test_a_stage_done_again_to_other_bits_is_another_one_for_those_after_it(tmp_path):
    for value in (1, 2):
        with open_run(tmp_path) as run:
            found = run("b", lambda run, folder, first: 10 * first, run("a", lambda *_, value=value: value))
        assert found == 10 * value
        (tmp_path / "stages" / "a" / "result.json").write_text("3")


def test_a_stage_that_is_a_link_is_taken_when_whole_and_replaced_when_not(tmp_path):
    place, kept = tmp_path / "run" / "stages" / "a", tmp_path / "disk"
    with open_run(tmp_path / "run") as run:
        run("a", lambda *_: 1)
    place.rename(kept)
    place.symlink_to(kept)
    with open_run(tmp_path / "run") as run:
        assert run("a", lambda *_: pytest.fail("done again")) == 1
    (kept / "result.json").write_text("2")
    with open_run(tmp_path / "run") as run:
        assert run("a", lambda *_: 1) == 1
        assert len(run.notes) == 1
    assert not place.is_symlink()
    assert (kept / "result.json").read_text() == "2"
    place.joinpath("stage.json").unlink()
    remove(place)
    place.write_text("a file")
    with open_run(tmp_path / "run") as run:
        assert run("a", lambda *_: 1) == 1


def test_published_files_that_were_changed_or_lost_are_written_again(tmp_path):
    def again():
        with open_run(tmp_path, types=TYPES) as run:
            run("report", measured)
            run.publish("report")
            return run.notes

    assert again() == []
    page, figure = tmp_path / "report.html", tmp_path / "figures" / "a.png"
    page.write_text("pagE")
    figure.unlink()
    assert again() == ["figures/a.png, report.html: changed or lost since written; written again"]
    assert (page.read_text(), figure.read_bytes()) == ("page", b"png")
    (tmp_path / "mine").write_text("mine")
    page.unlink()
    page.symlink_to(tmp_path / "mine")
    assert len(again()) == 1
    assert not page.is_symlink()
    assert (tmp_path / "mine").read_text() == "mine"
    assert again() == []


def test_what_an_earlier_run_published_goes_and_what_is_the_users_stays(tmp_path):
    def publish(value, *names):
        def work(run, folder):
            (folder / "figures").mkdir()
            for name in names:
                (folder / "figures" / name).write_text(name)

        with open_run(tmp_path, {"report": value}) as run:
            run("report", work)
            run.publish("report")
            return run.notes

    figures = tmp_path / "figures"
    publish(1, "a.png", "b_observed.png", "c_observed.png")
    (figures / "mine.png").write_text("mine")
    (figures / "c_observed.png").write_text("with my arrows")
    assert publish(2, "a.png") == ["figures/c_observed.png: of an earlier result, and changed since; left there"]
    assert {p.name for p in figures.iterdir()} == {"a.png", "mine.png", "c_observed.png"}
    with pytest.raises(InputError, match="a file that verax did not write"):
        publish(3, "mine.png")
    assert (figures / "mine.png").read_text() == "mine"


@pytest.mark.parametrize("name", ["workspace.json", "stages/learn/notes.txt", ".git/config"])
def test_a_folder_with_files_of_the_user_is_refused(name, tmp_path):
    mine = tmp_path / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(InputError, match="files that are not verax's"), open_run(tmp_path):
        pass
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [mine]


def test_the_folder_of_another_is_refused(tmp_path):
    with open_run(tmp_path, owner="analysis 'a'") as run:
        run("a", lambda *_: 1)
    with pytest.raises(InputError, match="the folder of analysis 'a'; expected one of analysis 'b'"):
        open_run(tmp_path, owner="analysis 'b'").__enter__()


@pytest.mark.parametrize("damage", [None, "", "{}", "[]", '{"owner": 1}'])
def test_a_lost_mark_is_made_again_and_figures_are_still_known(damage, tmp_path):
    def made(n):
        return {"record.json": to_json(record(seeds={"a": n}, inputs={}, timings={}, failed={}, notes=[]))}

    with open_run(tmp_path, types=TYPES) as run:
        run("report", measured)
        run.publish("report", made(1))
    mark = tmp_path / ".verax"
    mark.unlink() if damage is None else mark.write_text(damage)
    with open_run(tmp_path, {"report": 2}) as run:
        run("report", lambda *_: 2)
        run.publish("report", made(2))
        assert run.notes == ["the folder's mark was damaged or lost; written again"]
    assert not (tmp_path / "figures").exists()
    assert json.loads((tmp_path / "record.json").read_text())["seeds"] == {"a": 2}


@pytest.mark.parametrize("name", [".lock", ".verax", "stages"])
def test_a_link_in_the_run_folder_is_refused_and_what_it_leads_to_unharmed(name, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir() if name == "stages" else mine.write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(mine)
    with pytest.raises(InputError, match="a link to"):
        open_run(tmp_path / "run").__enter__()
    assert (list(mine.iterdir()) == []) if name == "stages" else mine.read_text() == "mine"


def test_nothing_is_published_through_a_link(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    with open_run(tmp_path / "run", types=TYPES) as run:
        run("report", measured)
        (run.folder / "figures").symlink_to(mine)
        with pytest.raises(InputError, match="nothing is written through links"):
            run.publish("report")
        (run.folder / ".report.html").symlink_to(mine / "page")  # a temporary name of old
        (run.folder / "figures").unlink()
        run.publish("report")
    assert list(mine.iterdir()) == []


@pytest.mark.parametrize("name", ["../../mine", "/tmp/mine", "a/../../../mine"])
def test_forged_records_reach_nothing_outside_the_folder(name, tmp_path):
    mine = tmp_path / "mine"
    mine.write_text("mine")
    with open_run(tmp_path / "run", types=TYPES) as run:
        run("report", measured)
        run.publish("report")
    where = str(mine) if name.startswith("/") else name
    for path in (tmp_path / "run" / ".verax", tmp_path / "run" / "stages" / "report" / "stage.json"):
        content = unseal(path)
        key, known = ("published", [checksum_of(mine)]) if path.name == ".verax" else ("files", checksum_of(mine))
        content[key][where] = known
        path.write_bytes(seal(content))
    with open_run(tmp_path / "run", types=TYPES) as run:
        run("report", measured)
        run.publish("report")
    assert mine.read_text() == "mine"
    assert {p.name for p in tmp_path.iterdir()} == {"mine", "run"}
