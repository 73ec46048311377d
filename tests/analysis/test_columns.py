"""What each file is read for, in which types, and that no row is read twice."""

import json
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from toy_analysis import write_analysis, write_csv
from verax.analysis import Channels, Read, check_duplicates, load, observed, plan, simulated
from verax.errors import InputError
from verax.events import concatenate
from verax.pipeline import TYPES
from verax.pipeline._learn import Learned
from verax.pipeline._simulate import simulate
from verax.pipeline._summarise import summarise
from verax.run import Run

X = {"kind": "column", "column": "x", "range": [-5, 5]}
PLAIN = {"normalisations": [], "unaffected": [], "pseudo_experiment": None, "channels": [{"name": "all"}], "summary": X}


def read_simulated(path, *settings):
    reading = plan(load(path, settings)).reading
    return concatenate(list(simulated(reading, reading.samples, Read())))


def read_observed(path):
    return concatenate(list(observed(plan(load(path)).reading, Read())))


def without(path, *columns):
    """Take columns out of a Parquet file."""
    pq.write_table(pq.read_table(path).drop_columns(list(columns)), path)


def table(analysis, folder):
    """The stage simulate."""
    with Run(folder, types=TYPES) as run:
        return run("simulate", simulate, plan(analysis).reading)


# ------------------------------------------------------------------------------------------- columns that are needed

WEIGHTS = [
    {"name": "pile_up", "effect": "weight", "up": "pu_up / pu", "down": "pu_down / pu", "processes": ["top"]},
    {"name": "ratio", "effect": "weight", "up": "pu_ratio", "processes": ["top"]},
    {"name": "scale", "effect": "scale", "columns": ["pt"], "width": 0.02, "processes": ["top", "other"]},
]


@pytest.fixture
def weighted(tmp_path):
    """Weight branches in the file of one process alone; neither the others nor the data have them."""
    unaffected = {"scale": ["x", "y"]}
    derived = {"log_pt": "log(pt)", "pu_ratio": "pu_up / pu"}
    path = write_analysis(
        tmp_path, 400, **{**PLAIN, "unaffected": unaffected}, systematics=WEIGHTS, derived=derived,
        observed={"files": ["data.parquet"]}, blind=False,
    )  # fmt: skip
    top = pq.read_table(tmp_path / "top.parquet")
    for name, value in (("pu", 0.5), ("pu_up", 0.6), ("pu_down", 0.4)):
        top = top.append_column(name, pa.array(np.full(len(top), value)))
    pq.write_table(top, tmp_path / "top.parquet")
    without(tmp_path / "data.parquet", "w", "number")
    return path


def test_data_need_no_weights_of_the_simulation(weighted):
    events = read_observed(weighted)
    assert len(events) == 120
    assert {"x", "y", "log_pt"} <= set(events.columns)
    assert not {"pu", "pu_up", "pu_down", "pu_ratio"} & set(events.columns)


def test_a_process_needs_what_acts_on_it_only(weighted):
    events = read_simulated(weighted)
    moved = {s.name: s for s in plan(load(weighted)).systematics}
    top = events.process == 1
    for name, factor in (("pile_up", 1.2), ("ratio", 1.2)):
        found = np.asarray(moved[name](events, 1.0).weight) / events.weight
        assert np.allclose(found, np.where(top, factor, 1), rtol=1e-5)
    assert np.allclose(np.asarray(moved["pile_up"](events, -1.0).weight)[top], 0.8 * events.weight[top], rtol=1e-5)


@pytest.mark.parametrize("where", ["top.parquet", "data.parquet"])
def test_what_a_file_is_read_for_is_asked_of_it(weighted, where):
    without(weighted.parent / where, "y")
    read = read_simulated if where == "top.parquet" else read_observed
    with pytest.raises(InputError, match=rf"{where}.*'y'"):
        read(weighted)


def test_a_missing_weight_of_a_process_that_it_acts_on_is_refused(weighted):
    without(weighted.parent / "top.parquet", "pu_down")
    with pytest.raises(InputError, match="pu_down"):
        read_simulated(weighted)


def test_values_that_nobody_reads_do_not_matter(weighted):
    folder = weighted.parent
    rows = np.loadtxt(folder / "other.csv", delimiter=",", skiprows=1).T
    other = dict(zip(["x", "y", "pt", "w"], rows, strict=False))
    other["number"] = rows[4].astype(int)
    write_csv(folder / "other.csv", {**other, "pu": np.full(400, np.nan)})
    assert np.isfinite(read_simulated(weighted).x).all()


def test_varied_samples_need_no_columns_of_other_systematics(weighted):
    settings = (
        "systematics=[{name: pile_up, effect: weight, up: pu_up, processes: [top]}, {name: model, effect: samples, "
    )
    settings += "up: [{process: other, files: [other_up.csv], weight: w}]}]"
    analysis = load(weighted, [settings])
    made = table(analysis, weighted.parent / "run")
    assert [y.rows for y in made.yields] == [400, 400, 400]


def test_an_analysis_with_weights_can_be_unblinded(weighted, tmp_path):
    p = plan(load(weighted))
    with Run(tmp_path / "run", types=TYPES) as run:
        made = run("simulate", simulate, p.reading)
        found = run("summarise", summarise, p.histograms, p.treatment, p.arrangement, p.learning, made, Learned())
    assert found.observed.sum() == 120
    assert set(found.compared) == {"x", "y", "log_pt"}


# ------------------------------------------------------------------------------------------------------------- types


def numbered(folder, number, **changes):
    """An analysis whose process top has these event numbers, and folds made of them."""
    derived = {"log_pt": "log(pt)", "fold": "number % 2"}
    path = write_analysis(
        folder, len(number), **{**PLAIN, "systematics": [], "derived": derived, "features": ["x", "fold"], **changes}
    )
    top = pq.read_table(folder / "top.parquet").drop_columns(["number"])
    pq.write_table(top.append_column("number", pa.array(number)), folder / "top.parquet")
    return path


NUMBERS = {
    "3e9 of uint32": np.arange(3_000_000_000, 3_000_000_300, dtype=np.uint32),
    "above 2^53": np.arange(2**53 + 1, 2**53 + 301, dtype=np.int64),
    "above 2^63": np.arange(2**63 + 1, 2**63 + 301, dtype=np.uint64),
    "small": np.arange(300),
}
SCALE = {"name": "scale", "effect": "scale", "columns": ["pt"], "width": 0.02}


@pytest.mark.parametrize("moves", [False, True], ids=["", "with a systematic"])
@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_folds_of_large_event_numbers(tmp_path, number, moves):
    more = {"systematics": [SCALE], "unaffected": ["x"]} if moves else {}
    path = numbered(tmp_path, number, **more)
    events = read_simulated(path)
    top = events.process == 1
    expected = [int(n) % 2 for n in number]
    assert events.column("fold")[top].tolist() == expected
    for s in plan(load(path)).systematics:
        assert np.asarray(s(events, 1.0).column("fold"))[top].tolist() == expected


def test_channels_may_be_made_of_folds(tmp_path):
    path = numbered(tmp_path, NUMBERS["above 2^63"])
    events = read_simulated(path, "channels=[{name: even, select: fold == 0}, {name: odd, select: fold == 1}]")
    channels = Channels(("fold == 0", "fold == 1"))(events)
    assert np.bincount(channels[events.process == 1]).tolist() == [150, 150]


REFUSED = {
    "a feature": {"features": ["x", "number"]},
    "a channel": {"channels": [{"name": "even", "select": "number % 2 == 0"}]},
    "a weight": {"systematics": [{"name": "w", "effect": "weight", "up": "1 + number % 2"}]},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_numbers_that_float32_does_not_hold_are_refused_where_it_matters(tmp_path, changes):
    path = numbered(tmp_path, NUMBERS["3e9 of uint32"], **changes)
    with pytest.raises(
        InputError, match=r"process 'top', column 'number': got 300 distinct values.*keeps [23]\b.*derived"
    ):
        read_simulated(path)


def test_numbers_beyond_53_bits_in_a_csv_file_are_read_as_integers_or_refused(tmp_path):
    path = write_analysis(
        tmp_path, 300, **{**PLAIN, "systematics": [], "derived": {"fold": "number % 2"}, "features": ["x", "fold"]}
    )
    rows = (tmp_path / "other.csv").read_text().splitlines()
    lines = [",".join([*row.split(",")[:-1], str(2**60 + i)]) for i, row in enumerate(rows[1:])]
    (tmp_path / "other.csv").write_text("\n".join([rows[0], *lines]) + "\n")
    events = read_simulated(path)
    assert events.column("fold")[events.process == 2].tolist() == [0, 1] * 150
    with pytest.raises(InputError, match=r"other\.csv, column 'number'.*beyond 2⁵³"):
        read_simulated(path, "number=null")


def test_a_time_stamp_is_refused_and_its_difference_is_not(tmp_path):
    path = write_analysis(tmp_path, 300, **{**PLAIN, "systematics": [], "features": ["x", "time"]})
    for name in ("top", "data"):
        old = pq.read_table(tmp_path / f"{name}.parquet")
        seconds = 1.6e9 + 0.25 + np.arange(len(old))
        pq.write_table(old.append_column("time", pa.array(seconds)), tmp_path / f"{name}.parquet")
    samples = "samples=[{process: signal, files: [top.parquet]}]"
    with pytest.raises(InputError, match=r"column 'time': got 300 distinct values of which float32 keeps [2-5]"):
        read_simulated(path, samples)
    events = read_simulated(path, samples, "derived={day: time - 1.6e9}", "features=[x, day]")
    assert len(np.unique(events.column("day"))) == 300


def test_ordinary_numbers_pass():
    rng = np.random.default_rng(1)
    from verax.events import check_exact

    check_exact(
        {
            "energy in MeV": rng.exponential(50_000.0, 10_000),
            "energy in eV": rng.exponential(5e10, 10_000),
            "angle": rng.uniform(-np.pi, np.pi, 10_000),
            "mass of one particle": rng.normal(91_187.6, 2.0, 10_000),
            "constant": np.full(10_000, 1 / 3),
            "constant but for rounding": 0.1 + rng.integers(0, 2, 10_000) * 1e-17,
            "missing": np.where(rng.uniform(size=10_000) < 0.9, -999.0, rng.normal(100.0, 1.0, 10_000)),
            "count": rng.integers(0, 2**24, 10_000),
            "run": np.full(10_000, 2**20 * 3),
            "one": np.array([123_456_789.123]),
        },
        -999.0,
    )


# ------------------------------------------------------------------------------------------------------- rows twice


def two(folder, first, second, **changes):
    """Samples of one file or of two."""
    path = write_analysis(folder, 300, **{**PLAIN, "systematics": [], **changes})
    samples = [{"process": "signal", **first}, {"process": "top", **second}]
    return load(path, [f"samples={json.dumps(samples)}"])


COPIES = {
    "by name": lambda folder: "top.parquet",
    "by pattern": lambda folder: "t*.parquet",
    "by link": lambda folder: os.symlink(folder / "top.parquet", folder / "link.parquet") or "link.parquet",
    "by hard link": lambda folder: os.link(folder / "top.parquet", folder / "hard.parquet") or "hard.parquet",
    "a copy": lambda folder: shutil.copy(folder / "top.parquet", folder / "copy.parquet") and "copy.parquet",
}


@pytest.mark.parametrize("other", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("where", ["a sample", "two samples"])
def test_a_file_that_is_read_twice_is_refused(tmp_path, other, where):
    write_analysis(tmp_path, 300)
    name = other(tmp_path)
    if where == "a sample":
        given = {"files": ["top.parquet", name]}, {"files": ["other.csv"]}
    else:
        given = {"files": ["top.parquet"]}, {"files": [name]}
    with pytest.raises(InputError, match=r"samples: got 300 rows that are read twice.*top\.parquet.*allow_duplicates"):
        check_duplicates(plan(two(tmp_path, *given)).reading)
    allowed = {**given[0], "allow_duplicates": True}
    check_duplicates(plan(two(tmp_path, allowed, given[1])).reading)


SELECTED = {
    "disjoint": ("x > 0.5", "x <= 0.5", False),
    "one has all": ("x > 0.5", None, True),
    "some": ("x > 0.5", "y > 0.5", True),
    "none in fact": ("x > 100", "y > -100", False),
}


@pytest.mark.parametrize(("first", "second", "shared"), SELECTED.values(), ids=SELECTED)
@pytest.mark.parametrize("file", ["top.parquet", "signal.root", "other.csv"])
def test_samples_of_one_file_may_not_share_rows(tmp_path, file, first, second, shared):
    analysis = two(tmp_path, {"files": [file], "select": first}, {"files": [file], "select": second})
    if not shared:
        check_duplicates(plan(analysis).reading)
        return
    rows = simulated_rows(tmp_path, file)
    both = np.ones(300, bool)
    for text in (first, second):
        both &= np.ones(300, bool) if text is None else eval(text, {}, rows)
    with pytest.raises(InputError, match=f"{both.sum()} rows"):
        check_duplicates(plan(analysis).reading)


def simulated_rows(folder, file):
    from verax.data import open_table

    return next(iter(open_table(folder / file).chunks(("x", "y"), 1000)))


def test_one_file_twice_as_data_or_as_variation_is_refused(tmp_path):
    path = write_analysis(tmp_path, 300)
    with pytest.raises(InputError, match="observed: got 90 rows"):
        check_duplicates(plan(load(path, ["observed={files: [data.parquet, data.parquet]}"])).reading)
    varied = "systematics=[{name: m, effect: samples, up: [{process: other, files: [other_up.csv, other_up.csv]}]}]"
    with pytest.raises(InputError, match="systematic 'm': got 300 rows"):
        check_duplicates(plan(load(path, [varied, "unaffected=[]"])).reading)
    same = "systematics=[{name: m, effect: samples, up: [{process: other, files: [other.csv], weight: w}]}]"
    check_duplicates(plan(load(path, [same, "unaffected=[]"])).reading)  # nominal and varied may share a file


def test_the_stage_refuses_rows_that_are_read_twice(tmp_path):
    analysis = two(tmp_path, {"files": ["top.parquet"]}, {"files": ["top.parquet"]})
    with pytest.raises(InputError, match="300 rows that are read twice"):
        table(analysis, tmp_path / "run")


# ----------------------------------------------------------------------------------------------------- event numbers


def test_one_number_for_all_rows_is_refused(tmp_path):
    path = numbered(tmp_path, np.full(300, 7))
    with pytest.raises(InputError, match=r"process 'top': got event number 7 on all 300 rows.*number: number"):
        table(load(path), tmp_path / "run")


def test_few_numbers_for_many_rows_are_said(tmp_path):
    made = table(load(numbered(tmp_path, np.arange(300) % 20)), tmp_path / "run")
    assert [line for line in made.notes if "process 'top': 300 rows have 20 event numbers" in line]
    made = table(load(numbered(tmp_path, np.arange(300) % 100)), tmp_path / "run2")
    assert not made.notes
