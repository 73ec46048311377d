"""Methods compared on a table of one's own: what its label is taken for, and which tables are refused."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import entr

from comparison_folder import read_comparison
from verax.cli import main
from verax.compare import LabelledComparison, RegressionComparison, compare_methods, on_table
from verax.errors import InputError

RNG = np.random.default_rng(7)
N = 3000
CENTRES = np.array([[0.0, 0.0], [1.5, 0.0], [0.0, 1.5]])
KIND = RNG.integers(0, 3, N)
POINTS = CENTRES[KIND] + RNG.normal(size=(N, 2))
COLUMNS = {"x0": POINTS[:, 0], "x1": POINTS[:, 1], "kind": KIND, "w": RNG.uniform(0.5, 1.5, N)}


def write(path, **changed):
    columns = {name: values for name, values in {**COLUMNS, **changed}.items() if values is not None}
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    else:
        rows = zip(*(np.asarray(v).tolist() for v in columns.values()), strict=True)
        path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return str(path)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_label_of_words_or_few_whole_numbers_has_classes(tmp_path, name):
    words = np.array(["tau", "jet", "mu"])[KIND]
    for label in (KIND, words):
        made, why = on_table(write(tmp_path / name, kind=label), "kind", weight="w", features=["x0", "x1"])
        assert isinstance(made, LabelledComparison)
        assert "taken as classes" in why
        assert made.balanced
        known = ("jet", "mu", "tau") if label is words else ("0", "1", "2")
        assert made.events.processes == known
        assert np.array_equal(np.array(known)[np.asarray(made.events.process)], label.astype(str))
        np.testing.assert_allclose(made.events.x, POINTS.astype(np.float32))
        sample, conditions = made.parts(1)
        for part in (sample.learn, sample.stop, sample.calibrate, conditions["nominal"]):
            sums = np.bincount(np.asarray(part.process), np.asarray(part.weight, np.float64))
            np.testing.assert_allclose(sums, len(part) / 3, rtol=1e-5)
    assert on_table(write(tmp_path / name, w=None), "kind")[0].events.columns == ("x0", "x1")


def test_a_label_of_other_numbers_is_a_target_on_random_splits(tmp_path):
    file = write(tmp_path / "t.csv", w=None)
    made, why = on_table(file, "x0", quick=True)
    assert isinstance(made, RegressionComparison)
    assert "3000 distinct values, not whole numbers; taken as the target of a regression" in why
    (data,) = made.sets
    assert (data.train.shape, data.test.shape) == ((5, 2700), (5, 300))
    np.testing.assert_allclose(data.y, POINTS[:, 0])
    whole, why = on_table(write(tmp_path / "n.csv", w=None, kind=np.arange(N)), "kind")
    assert isinstance(whole, RegressionComparison)
    assert "more than 30" in why
    (table, *_) = compare_methods(file, tmp_path / "o", label="x0", names=["linear regression"], quick=True)
    assert table.rows[0][0] == "linear regression"
    page = (tmp_path / "o" / "comparison.html").read_text(encoding="utf-8")
    assert "5 random splits" in page
    assert "published split" not in page
    assert "taken as the target of a regression" in page


NAN = np.where(np.arange(N) < 3, np.nan, POINTS[:, 0])
BAD = {
    "an unknown label": ({}, {"label": "kinds"}, r"column 'kinds'.*did you mean 'kind'\?"),
    "no label": ({}, {"label": None}, r"--label: got none; .*columns: x0, x1, kind, w"),
    "one class": ({"kind": np.ones(N, int)}, {}, r"column 'kind': got one class, '1'; expected two or more"),
    "few of a class": (
        {"kind": np.where(np.arange(N) < 9, 5, KIND)},
        {},
        r"9 events of class .5.; expected at least 50",
    ),
    "NaN": ({"x0": NAN}, {}, r"column 'x0': got 3 of 3000 rows without a finite value"),
    "NaN of a label": ({"kind": np.where(np.arange(N) < 2, np.nan, KIND)}, {}, r"column 'kind': got 2 of 3000 rows"),
    "words among features": ({"x1": np.array(["a", "b", "c"])[KIND]}, {}, r"choose columns by --features"),
    "unknown feature": ({}, {"features": ["x0", "x2"]}, r"column 'x2'; expected a known column; known: x0, x1"),
    "the label as a feature": ({}, {"features": ["x0", "kind"]}, r"column 'kind' twice"),
    "unknown weight": ({}, {"weight": "v"}, r"column 'v'"),
    "weights without a sum": ({"w": np.where(KIND == 1, -1.0, 1.0)}, {"weight": "w"}, r"a sum of -\d+ over class '1'"),
    "weights of a regression": ({}, {"label": "x0", "weight": "w"}, r"--weight: got 'w' for a target of regression"),
    "splits of classes": ({}, {"splits": 2}, r"--splits: got 2 for a label with classes"),
    "a gap of classes": ({}, {"shift": "gap"}, r"--shift: got 'gap'; expected none or systematic for a table"),
    "corruption of a target": (
        {},
        {"label": "x0", "shift": "corruption"},
        r"--shift: got shift of regression 'corruption'; .*known: none, gap, tail",
    ),
    "sets": ({}, {"sets": ["boston"]}, r"--set, --splits: got data of another kind"),
}


def test_a_class_may_be_called_none_and_a_missing_one_is_refused(tmp_path):
    words = np.array(["None", "jet", "mu"], object)[KIND]
    made, _ = on_table(write(tmp_path / "t.parquet", kind=words.tolist()), "kind")
    assert made.events.processes == ("None", "jet", "mu")
    words[:2] = None
    with pytest.raises(InputError, match=r"column 'kind': got 2 of 3000 rows"):
        on_table(write(tmp_path / "t.parquet", kind=words.tolist()), "kind")


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_what_cannot_be_compared_is_one_line(tmp_path, case, name):
    changed, options, message = BAD[case]
    file = write(tmp_path / name, **changed)
    with pytest.raises(InputError, match=message) as told:
        compare_methods(file, tmp_path / "o", **{"label": "kind", "names": ["none of these"], **options})
    assert "\n" not in str(told.value)


def test_options_of_tables_are_refused_elsewhere(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["compare", "methods", "--data", "digits", "--label", "y", "-o", str(tmp_path / "o")])
    assert re.search(
        r"^verax: --label, --weight, --features: got data of another kind, digits", capsys.readouterr().err, re.M
    )


@pytest.mark.thorough
def test_three_gaussians_are_told_apart_as_well_as_they_can_be(tmp_path, capsys):
    """The exact log loss is that of Bayes' formula; sets cover, and move when features do."""
    density = np.exp(-0.5 * ((POINTS[:, None] - CENTRES) ** 2).sum(axis=2))
    p = density / density.sum(axis=1, keepdims=True)
    exact = entr(p).sum(axis=1).mean()
    file = write(tmp_path / "t.parquet")
    options = ["--label", "kind", "--weight", "w", "--shift", "systematic", "--method", "single", "--quick"]
    with pytest.raises(SystemExit) as ended:
        main(["compare", "methods", "--data", file, *options, "--seeds", "2", "-o", str(tmp_path / "o")])
    assert ended.value.code == 0
    assert "taken as classes" in capsys.readouterr().err
    trials = read_comparison(tmp_path / "o")["Methods"]["trials"]
    assert set(trials[0]["result"]) == {"nominal", "x0 +1 sd", "x1 +1 sd"}
    for row, metric, truth, slack in (
        ("single network", "log loss", exact, 0.03),
        ("conformal, LAC", "coverage", 0.9, 0.0),
        ("conformal, APS", "coverage", 0.9, 0.0),
    ):
        found = np.array([t["result"]["nominal"][metric] for t in trials if t["row"] == row])
        error = np.sqrt((found[:, 1] ** 2).sum() * (2 if metric == "coverage" else 1)) / len(found)
        assert abs(found[:, 0].mean() - truth) < 4 * error + slack, (row, metric)
    shifted = [t["result"] for t in trials if t["row"] == "conformal, LAC"]
    assert all(r["x0 +1 sd"]["coverage"][0] < r["nominal"]["coverage"][0] for r in shifted)
