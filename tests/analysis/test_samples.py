import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from toy_analysis import write_analysis
from verax.analysis import Channels, Read, load, plan, simulated
from verax.analysis._functions import own
from verax.errors import InputError
from verax.events import concatenate


def read(path, *settings):
    reading, count = plan(load(path, settings)).reading, Read()
    return concatenate(list(simulated(reading, reading.samples, count))), count


def test_every_format_and_what_an_analysis_does_to_it(tmp_path):
    events, count = read(write_analysis(tmp_path, 500))
    assert events.processes == ("signal", "top", "other")
    assert count.rows == 1500
    assert np.bincount(events.process).tolist() == [500, 500, 500]
    totals = [events.weight[events.process == i].sum(dtype=np.float64) for i in range(2)]
    assert totals == pytest.approx([200, 800], rel=1e-6)
    assert np.array_equal(np.sort(events.number), np.arange(1500))
    assert np.allclose(events.column("log_pt"), np.log(events.column("pt")), rtol=1e-6)


def test_chunks_do_not_matter(tmp_path):
    path = write_analysis(tmp_path, 500)
    one, other = read(path)[0], read(path, "chunk=77")[0]
    assert np.array_equal(one.x, other.x)
    assert np.array_equal(one.weight, other.weight)


def test_selections_pick_rows_of_a_file(tmp_path):
    path = write_analysis(tmp_path, 500)
    sample = "samples=[{process: signal, files: [signal.root], tree: events, select: x > 1, weight: w}]"
    others = ("systematics=[]", "normalisations=[]")
    events, _ = read(path, sample, *others)
    everything, _ = read(path, sample.replace("select: x > 1, ", ""), *others)
    assert np.array_equal(events.number, everything.number[everything.column("x") > 1])


def test_derived_columns_follow_a_variation(tmp_path):
    analysis = load(write_analysis(tmp_path, 500))
    events, _ = read(tmp_path / "analysis.yaml")
    scale = next(s for s in plan(analysis).systematics if s.name == "scale")
    moved = scale(events, 1.0)
    assert np.allclose(moved.column("pt"), 1.02 * events.column("pt"), rtol=1e-6)
    assert np.allclose(moved.column("log_pt"), np.log(1.02 * events.column("pt")), rtol=1e-6)


def test_a_weight_expression_is_exact_at_one_prior_width(tmp_path):
    analysis = load(write_analysis(tmp_path, 500))
    events, _ = read(tmp_path / "analysis.yaml")
    shape = next(s for s in plan(analysis).systematics if s.name == "shape")
    factor = np.where(events.process == 2, 1 + 0.1 * events.column("x"), 1)
    assert np.allclose(shape(events, 1.0).weight, events.weight * factor, rtol=1e-6)
    assert np.allclose(shape(events, -1.0).weight, events.weight / factor, rtol=1e-6)
    assert np.array_equal(shape(events, 0.0).weight, events.weight)


def test_channels_take_the_first_that_fits(tmp_path):
    events, _ = read(write_analysis(tmp_path, 500))
    channel = Channels(("pt < 30", "pt < 45", None))(events)
    pt = events.column("pt")
    assert np.array_equal(channel, np.where(pt < 30, 0, np.where(pt < 45, 1, 2)))
    assert set(Channels(("pt < 30",))(events)) == {-1, 0}


def test_a_callable_in_python_stands_for_a_name(tmp_path):
    assert own(np.mean, tmp_path).function is np.mean
    for function in (np.mean, "numpy:mean"):
        assert own(function, tmp_path)(np.array([1.0, 3.0])) == 2.0


BAD = {
    "missing file": ("samples.0.files", ["nothing.root"], r"nothing\.root"),
    "wrong tree": ("samples.0.tree", "evnts", "'evnts'.*events"),
    "wrong branch": ("features", ["x", "zz"], "'zz'"),
    "wrong weight": ("samples.0.weight", "ww", "did you mean 'w'"),
    "weight that is no number": ("samples.0.weight", "log(x - 100)", "NaN in 500 of 500 rows.*nonfinite: drop"),
    "function that is not there": ("systematics.4.function", "smear.py:smeer", "smeer"),
    "feature that nothing recomputes": ("unaffected", ["x"], "feature 'y'.*'scale'.*unaffected"),
    "total of nothing": ("samples.0.weight", "-w", "weights that sum to -"),
}


def vary_all(path):
    """Read everything, and apply every systematic once."""
    events, _ = read(path)
    for s in plan(load(path)).systematics:
        if s.name != "model":
            s(events, 1.0)


@pytest.mark.parametrize(("key", "value", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line(tmp_path, key, value, message):
    path = write_analysis(tmp_path, 500)
    content = yaml.safe_load(path.read_text())
    *sections, last = (int(k) if k.isdigit() else k for k in key.split("."))
    place = content
    for section in sections:
        place = place[section]
    place[last] = value
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=message) as caught:
        vary_all(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["signal.root", "top.parquet", "other.csv.gz"])
def test_truncated_files_are_one_line(tmp_path, name):
    path = write_analysis(tmp_path, 500)
    if name.endswith(".gz"):
        (tmp_path / name).write_bytes(gzip.compress((tmp_path / "other.csv").read_bytes()))
        path.write_text(path.read_text().replace("- other.csv\n", "- other.csv.gz\n"))
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=name) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_values_that_are_not_finite_are_refused_or_dropped_and_counted(tmp_path):
    path = write_analysis(tmp_path, 500)
    table = pq.read_table(tmp_path / "top.parquet").to_pydict()
    table["x"][3], table["y"][7] = float("nan"), float("inf")
    pq.write_table(pa.table(table), tmp_path / "top.parquet")
    with pytest.raises(InputError, match=r"1 of 500 rows of column 'x'.*'y'"):
        read(path)
    events, count = read(path, "nonfinite=drop")
    assert (count.rows, count.dropped, len(events)) == (1500, 2, 1498)
    assert count.notes("simulated") == []


@pytest.mark.parametrize(("select", "notes"), [("x > -100", 1), ("isnan(x) == 0", 0), ("y > -100", 0)])
def test_a_selection_that_compares_nan_says_how_often(tmp_path, select, notes):
    path = write_analysis(tmp_path, 500)
    table = pq.read_table(tmp_path / "top.parquet").to_pydict()
    table["x"][3] = table["x"][9] = float("nan")
    pq.write_table(pa.table(table), tmp_path / "top.parquet")
    content = yaml.safe_load(path.read_text()) | {"nonfinite": "drop", "chunk": 7}
    [top] = [s for s in content["samples"] if "top.parquet" in s["files"]]
    top["select"] = select
    path.write_text(yaml.safe_dump(content))
    events, count = read(path)
    assert len(events) == 1498
    said = count.notes("simulated")
    assert len(said) == notes
    assert all("NaN in 2 rows of 'x'" in line for line in said)
