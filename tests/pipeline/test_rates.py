"""Rates by expressions: an effective coupling with interference, against its likelihood written out."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from scipy.optimize import brentq, minimize_scalar

from verax.analysis import load
from verax.errors import InputError
from verax.pipeline import load as load_run
from verax.pipeline import measure

BINS = {"SM": [200.0, 80.0, 20.0], "lin": [-10.0, 4.0, 6.0], "quad": [2.0, 4.0, 9.0], "fakes": [30.0, 10.0, 2.0]}
OBSERVED = [222, 101, 31]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coupling")
    for process, yields in BINS.items():
        x, w = np.repeat([0.5, 1.5, 2.5], 500), np.repeat(np.array(yields) / 500, 500)
        pq.write_table(pa.table({"x": x, "w": w}), folder / f"{process}.parquet")
    pq.write_table(pa.table({"x": np.repeat([0.5, 1.5, 2.5], OBSERVED)}), folder / "data.parquet")
    return folder


def analysis(folder, **changes):
    content = {
        "name": "coupling",
        "title": "Coupling",
        "samples": [{"process": p, "files": [f"{p}.parquet"], "weight": "w"} for p in BINS],
        "observed": {"files": ["data.parquet"]},
        "blind": False,
        "poi": {"name": "c", "nominal": 0.0, "bounds": [-3.0, 6.0]},
        "rates": {"lin": "c", "quad": "c**2"},
        "features": ["x"],
        "unaffected": [],
        "summary": {"kind": "column", "column": "x", "range": [0, 3]},
        "channels": [{"name": "all", "edges": [0, 1, 2, 3]}],
        "systematics": [{"name": "fakes_rate", "effect": "normalisation", "width": 0.3, "processes": ["fakes"]}],
        "figures": [{"variable": "x", "range": [0, 3], "bins": 3}],
        "infer": {"simulation_statistics": False},
        "check": {"toys": 400, "truths": [0.0, 1.0], "shifts": False},
        **changes,
    }
    path = folder / f"{len(list(folder.glob('*.yaml')))}.yaml"
    path.write_text(yaml.safe_dump(content))
    return load(path)


def profiled(counts, c):
    """−2 log L at c, the fakes' rate 1.3^θ profiled, by formulas of their own."""
    sm, lin, quad, fakes = (np.array(BINS[p]) for p in BINS)

    def at(theta):
        nu = sm + c * lin + c**2 * quad + fakes * 1.3**theta
        return 2 * (nu - counts * np.log(nu)).sum() + theta**2

    return minimize_scalar(at, bounds=(-4, 4), method="bounded", options={"xatol": 1e-10}).fun


@pytest.fixture(scope="module")
def found(files, tmp_path_factory, without_figures):
    folder = tmp_path_factory.mktemp("run")
    measure(analysis(files), folder)
    return folder, json.loads((folder / "results.json").read_text())


def ends(counts):
    best = minimize_scalar(lambda c: profiled(counts, c), bounds=(-3, 6), method="bounded", options={"xatol": 1e-9})

    def above(c):
        return profiled(counts, c) - best.fun - 0.99998  # χ² quantile of 68.27 %

    return best.x, brentq(above, -3, best.x), brentq(above, best.x, 6)


@pytest.mark.parametrize("kind", ["expected", "observed"])
def test_the_interval_is_that_of_the_likelihood_written_out(found, kind):
    counts = np.array(OBSERVED) if kind == "observed" else np.array(BINS["SM"]) + BINS["fakes"]
    value, low, high = ends(counts)
    interval = found[1]["results"][kind]["interval"]
    width = high - low
    assert interval["value"] == pytest.approx(value, abs=1e-3 * width)
    assert (interval["low"], interval["high"]) == pytest.approx((low, high), abs=1e-3 * width)


def test_the_interval_covers(found):
    """Counts of 30 and more: the interval covers within 4 binomial errors of 400 toys."""
    for result in found[1]["coverage"].values():
        assert abs(result["fraction"] - 0.6827) < 4 * np.sqrt(0.6827 * 0.3173 / 400)


def test_the_fitted_variable_shown_as_a_figure_is_the_fit(found):
    """Without γ, rates by expressions included: events and bands after the fit."""
    folder, result = found
    fitted, shown = load_run(folder).results["observed"].postfit, result["figures"]["x"]["all"]["expected"]["observed"]
    assert shown["events"] == pytest.approx(fitted.by_process.sum(0).tolist(), rel=1e-9)
    assert shown["error"] == pytest.approx(fitted.bin_error.tolist(), rel=1e-9)


def test_what_a_workspace_cannot_say_is_not_written_and_said(found):
    folder, result = found
    assert not (folder / "workspace.json").exists()
    assert any("no workspace.json" in line and "a function of parameters" in line for line in result["warnings"])
    lin = result["templates"]["processes"].index("lin")
    assert np.sum(result["templates"]["nominal"][lin]) == pytest.approx(0.0, abs=1e-5)


def test_a_rate_need_only_be_a_number_between_the_bounds(tmp_path):
    """Its derivative is looked at on the side of nominal where there is one."""
    change = {"poi": {"name": "c", "nominal": 0.0, "bounds": [-4.0, 0.0]}, "rates": {"lin": "c", "quad": "sqrt(-c)"}}
    change["check"] = {"truths": [0.0]}
    assert analysis(tmp_path, **change).rates == change["rates"]


BAD = {
    "unknown process": ({"rates": {"lni": "c"}}, "rates: got process 'lni'.*'lin'"),
    "unknown parameter": ({"rates": {"lin": "d"}}, "rates.lin: got parameter 'd'"),
    "no expression": ({"rates": {"lin": "c +"}}, "rates.lin"),
    "a condition": ({"rates": {"lin": "c > 0"}}, "rates.lin.*true or false"),
    "none somewhere": (
        {"rates": {"lin": "sqrt(c)", "quad": "c"}},
        r"rates.lin: got 'sqrt\(c\)', which is none at c = -3",
    ),
    "nothing to act on": ({"rates": {}}, "normalisation 'c': got no processes"),
    "nominal out of bounds": ({"poi": {"name": "c", "nominal": 9.0, "bounds": [-3.0, 6.0]}}, "nominal.*outside bounds"),
    "not told apart": (
        {"rates": {"lin": "c * d"}, "normalisations": [{"name": "d", "bounds": [0, 2]}]},
        "normalisation 'd'.*lin.*told apart",
    ),
    "a rate that stays": ({"rates": {"lin": "1 + 0*c"}}, "normalisation 'c': got no yield that it moves in"),
    "unknown signal": ({"signal": ["qaud"]}, "signal: got process 'qaud'.*'quad'"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_rates_that_make_no_sense_are_one_line(tmp_path, change, message):
    with pytest.raises(InputError, match=message) as caught:
        analysis(tmp_path, **change)
    assert "\n" not in str(caught.value)
