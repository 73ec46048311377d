"""What a reader is told first, where a number is not what it seems."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from toy_analysis import draw, write_analysis
from verax import pipeline
from verax.analysis import load
from verax.cli import _terminal as console
from verax.pipeline._agreement import compare
from verax.pipeline._infer import Measured
from verax.pipeline._story import _described, _few_events

SUMMARY = {"kind": "column", "column": "pt", "range": [0, 300], "label": "p_T [GeV]"}
CHANGES = {
    "summary": SUMMARY,
    "samples": [
        {"process": "signal", "files": ["signal.root"], "tree": "events", "weight": "w", "total": 100},
        {"process": "top", "files": ["top.parquet"], "weight": "w", "total": 500},
    ],
    "poi": {"name": "mu", "processes": ["signal"], "bounds": [-2, 2]},
    "features": ["x", "pt"],
    "derived": {},
    "systematics": [{"name": "lumi", "effect": "normalisation", "width": 0.02}],
    "normalisations": [],
    "unaffected": [],
    "pseudo_experiment": None,
    "channels": [{"name": "all"}],
    "observed": {"files": ["data.parquet"]},
    "blind": False,
    "check": {"toys": 50, "truths": [1.0], "shifts": False},
}


def measured(folder, factor):
    """A measurement of data whose p_T is in other units."""
    path = write_analysis(folder, **CHANGES)
    rng = np.random.default_rng(5)
    parts = draw(rng, 100, 0.8, 0), draw(rng, 500, -0.4, 100)
    data = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    data["pt"] *= factor
    pq.write_table(pa.table(data), folder / "data.parquet")
    found = pipeline.measure(load(path), folder / "run")
    results = json.loads((folder / "run" / "results.json").read_text())
    return found, results, (folder / "run" / "report.html").read_text()


@pytest.fixture(scope="module")
def in_mev(tmp_path_factory):
    return measured(tmp_path_factory.mktemp("mev"), 1000.0)


@pytest.fixture(scope="module")
def in_gev(tmp_path_factory):
    return measured(tmp_path_factory.mktemp("gev"), 1.0)


@pytest.mark.thorough
def test_data_in_other_units_are_said_first(in_mev, capsys, tmp_path):
    found, results, page = in_mev
    said = "\n".join(found.first)
    assert "Feature pt: data and simulation differ, with medians" in said
    assert "1.00 apart" in said
    assert "Feature x" not in said
    assert "Observed: the fit ends at the bound of mu, 2. It has no σ: its errors are one-sided, 2" in said
    assert "the Hessian's there is 0." in said
    assert "events lie in one of" in said
    assert "Observed: the model does not describe the data, p = " in said
    assert set(found.first) <= set(found.warnings)
    assert set(found.first) <= set(results["warnings"])
    assert all(line.split(":")[0] in page for line in found.first)
    console.show(found)
    shown = capsys.readouterr().out
    assert all(line in shown for line in found.first)


def test_an_end_that_was_not_found_is_no_number(in_mev):
    found, results, _ = in_mev
    assert results["results"]["observed"]["interval"]["status"] == "END_NOT_FOUND"
    row = next(r for r in found.tables[0].rows if r[0] == "Observed")
    assert "upper end not found" in row[1]
    assert "+0.0" not in row[1]


def test_what_lies_outside_the_bins_is_a_warning(in_mev):
    _, results, page = in_mev
    listed = page.partition("<h2>Warnings</h2>")[2]
    assert f"<p>{len(results['warnings'])} warnings</p>" in listed
    assert listed.count("<li>") == len(results["warnings"])
    assert any("600 of 600 observed events (100.00% by weight) lie above the bins" in w for w in results["warnings"])


def test_good_data_have_nothing_first(in_gev):
    found, results, page = in_gev
    assert found.first == ()
    described = results["results"]["observed"]["goodness_of_fit"]
    assert 1e-3 < described["p_value"] <= 1
    assert 0 < described["p_error"] < 0.05
    assert described["ndf"] == len(results["results"]["observed"]["counts"]) - 1
    assert results["results"]["expected"]["goodness_of_fit"] is None
    row = next(r for r in found.tables[0].rows if r[0] == "Observed")
    assert row[3].startswith("p = ")
    assert "Data and simulation" in page


def test_the_distance_of_features_is_that_of_kolmogorov_and_smirnov():
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(4000, 2)), rng.normal([0.0, 0.2], size=(500, 2))
    found = compare(["a", "b"], (x, np.full(4000, 0.1)), (y, np.ones(500)))
    for i, name in enumerate(("a", "b")):
        expected = ks_2samp(x[:, i], y[:, i], method="asymp")
        simulated, seen, distance, p = found[name]
        assert distance == pytest.approx(expected.statistic, rel=1e-9)
        assert p == pytest.approx(expected.pvalue, rel=0.1)
        assert seen == np.median(y[:, i])
        assert simulated == pytest.approx(np.median(x[:, i]), abs=1e-2)


def test_weights_count_in_the_distance():
    rng = np.random.default_rng(4)
    x = rng.uniform(size=(200_000, 1))
    weight = np.where(x[:, 0] < 0.5, 3.0, 1.0)
    weight[::10] *= -1
    weight *= 1.25
    y = np.where(rng.uniform(size=4000) < 0.75, rng.uniform(0, 0.5, 4000), rng.uniform(0.5, 1, 4000))[:, None]
    _, _, distance, p = compare(["a"], (x, weight), (y, np.ones(4000)))["a"]
    assert distance < 0.03
    assert p > 1e-3


@pytest.mark.parametrize(("error", "said"), [(0.2, True), (0.01, False)])
def test_a_p_value_of_few_events_says_so(error, said):
    m = object.__new__(Measured)
    object.__setattr__(m, "goodness", (12.0, 9, 0.21, error))
    assert ("± 0.20 for few events" in _described(m)) == said
    assert ("wrong by about 0.20" in " ".join(_few_events(m))) == said
