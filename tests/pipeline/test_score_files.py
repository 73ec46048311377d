"""Scores of new files are those of the run for its own events, and the mean over folds for others."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

import verax
from toy_analysis import draw
from verax.analysis import Analysis, Read, embedded, events_of, parse, plan, reading_files, simulated
from verax.cli import main
from verax.data import higgsml
from verax.errors import InputError
from verax.events import concatenate, make_events
from verax.learn import fold_of
from verax.pipeline import score_files, write_folds

FILES = {"signal": "signal.root", "top": "top.parquet", "other": "other.csv"}


@pytest.fixture(scope="module")
def own(small):
    """The run's own events and their scores."""
    run = verax.load(small)
    events = concatenate(list(run.events()))
    return events, run.score(events)


def table(path):
    return {k: np.asarray(v) for k, v in pq.read_table(path).to_pydict().items()}


@pytest.mark.parametrize(("process", "file"), FILES.items(), ids=FILES)
def test_scores_of_the_runs_own_files_are_those_of_the_run(small, own, tmp_path, process, file):
    keep = ["number", "x", "log_pt"]
    found = score_files(small, [small.parent / file], tmp_path / "s.parquet", keep=keep)
    assert (found.events, found.by_fold) == (300, 300)
    events, score = own
    mine, written = np.asarray(events.is_process([process])), table(tmp_path / "s.parquet")
    assert [*written] == ["score", "fold", *keep]
    assert np.array_equal(written["score"], score[mine])
    assert np.array_equal(written["fold"], fold_of(events.number[mine], 3))
    assert np.array_equal(written["number"], events.number[mine])
    assert np.array_equal(written["x"].astype(np.float32), events.column("x")[mine])
    assert written["x"].dtype == np.float64


def new_events(path, n=200, first=10**6, without=()):
    columns = draw(np.random.default_rng(3), n, 0.5, first)
    columns["tag"] = np.array(["even", "odd"])[np.arange(n) % 2]
    pq.write_table(pa.table({k: v for k, v in columns.items() if k not in ("w", *without)}), path)
    return columns


def test_events_that_no_network_saw_have_the_mean_over_folds(small, tmp_path, capsys):
    columns = new_events(tmp_path / "new.parquet")
    files = [str(tmp_path / "new.parquet"), str(small.parent / "top.parquet")]
    with pytest.raises(SystemExit, match="0"):
        main(["score", str(small), *files, "-o", str(tmp_path / "s.parquet"), "-q"])
    assert "300 events by the fold that never saw them, 200 by the mean of all folds" in capsys.readouterr().out
    written, run = table(tmp_path / "s.parquet"), verax.load(small)
    values = {"x": columns["x"], "y": columns["y"], "log_pt": np.log(columns["pt"])}
    new = [make_events(values, number=np.full(200, f)) for f in range(3)]
    assert written["score"][:200] == pytest.approx(np.mean([run.score(e) for e in new], axis=0), abs=1e-6)
    assert (written["fold"][:200] == -1).all()
    assert (written["fold"][200:] >= 0).all()


@pytest.mark.parametrize("chunk", [7, 65536])
def test_chunks_change_no_bit_and_text_is_kept(small, tmp_path, chunk, monkeypatch):
    new_events(tmp_path / "new.parquet", first=100)
    score_files(small, [tmp_path / "new.parquet"], tmp_path / "a.parquet", keep=["tag"])
    validate = Analysis.model_validate
    with monkeypatch.context() as patch:
        patch.setattr(Analysis, "model_validate", lambda content: validate(content | {"chunk": chunk}))
        score_files(small, [tmp_path / "new.parquet"], tmp_path / "b.parquet", keep=["tag"])
    a, b = table(tmp_path / "a.parquet"), table(tmp_path / "b.parquet")
    assert all(np.array_equal(a[k], b[k]) for k in ("score", "fold", "tag"))
    assert pq.ParquetFile(tmp_path / "b.parquet").metadata.num_row_groups == -(-200 // chunk)
    assert a["tag"][:2].tolist() == ["even", "odd"]


def test_of_files_without_the_number_no_event_was_seen(small, tmp_path):
    new_events(tmp_path / "new.parquet", first=0, without=("number",))
    assert score_files(small, [tmp_path / "new.parquet"], tmp_path / "s.parquet").by_fold == 0


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        (lambda run: None, {"keep": ["tga"]}, "--keep: got column 'tga'; expected a known column; did you mean 'tag'"),
        (lambda run: None, {"keep": ["fold"]}, "--keep: got column 'fold', which is made here"),
        (lambda run: None, {"keep": ["x", "x"]}, "--keep: got column 'x' twice"),
        (lambda run: shutil.rmtree(run / "stages/report"), {}, "stage 'report': got nothing"),
        (lambda run: shutil.rmtree(run / "stages/learn"), {}, "made of another 'learn' than is there now"),
        (lambda run: (run / "analysis.yaml").write_text("name: x"), {}, "analysis.yaml: got a file that was changed"),
        (lambda run: (run / "analysis.yaml").unlink(), {}, "analysis.yaml: got no such file"),
    ],
)
def test_what_cannot_be_scored_is_one_line(small, tmp_path, change, more, message):
    run = shutil.copytree(small, tmp_path / "run")
    new_events(tmp_path / "new.parquet")
    change(run)
    with pytest.raises(InputError, match=message) as caught:
        score_files(run, [tmp_path / "new.parquet"], tmp_path / "s.parquet", **more)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "s.parquet").exists()


@pytest.mark.parametrize("link", [False, True], ids=["itself", "by a link"])
def test_no_file_that_is_read_is_written_over(small, tmp_path, link):
    new_events(tmp_path / "new.parquet")
    before = (tmp_path / "new.parquet").read_bytes()
    (tmp_path / "link.parquet").symlink_to(tmp_path / "new.parquet")
    place = tmp_path / ("link.parquet" if link else "new.parquet")
    with pytest.raises(InputError, match="got the place of a file that is read"):
        score_files(small, [tmp_path / "new.parquet"], place)
    assert (tmp_path / "new.parquet").read_bytes() == before
    table = verax.load(small).stored.path("simulate") / "nominal.parquet"
    before = table.read_bytes()
    with pytest.raises(InputError, match="got the place of a file that is read"):
        write_folds(small, 3, table)
    assert table.read_bytes() == before


def test_a_column_that_a_feature_needs_is_named(small, tmp_path):
    new_events(tmp_path / "new.parquet", without=("pt",))
    with pytest.raises(InputError, match="got column 'pt'; expected a known column"):
        score_files(small, [tmp_path / "new.parquet"], tmp_path / "s.parquet")


def test_files_of_a_known_data_set_are_read_as_it_is():
    analysis = parse(yaml.safe_load(embedded("higgsml.yaml")), "", Path())
    found = [events for events, _ in events_of(reading_files(analysis, [higgsml.path()]))]
    own = list(simulated(plan(analysis).reading, (), Read()))
    mine, features = [np.concatenate([e.features(analysis.features) for e in some]) for some in (found, own)]
    assert np.array_equal(mine, features)
    assert np.array_equal(np.concatenate([e.number for e in found]), np.concatenate([e.number for e in own]))
