"""The comparison of methods as a whole: on data of a known law, on a page, and on the published splits."""

import math

import numpy as np
import pytest

from comparison_folder import read_comparison
from uci_folder import write_set
from verax.compare import (
    METHODS,
    PLAIN,
    SETS,
    Data,
    RegressionComparison,
    RegressionEffort,
    cell,
    compare_methods,
    published_table,
    read_sets,
    regression_warnings,
)
from verax.errors import InputError

TINY = RegressionEffort(
    width=8, epochs=40, batch=50, patience=40, members=2, draws=5, dropout=20, passes=50, largest=50
)
NAMES = ("linear regression", "split conformal", "dropout", "ensemble of means")
SIGMA = 0.5


@pytest.fixture(scope="module")
def line():
    """y = x₀ + noise of 0.5, with two splits."""
    rng = np.random.default_rng(1)
    n = 800
    x = rng.normal(size=(n, 2))
    rows = np.stack([rng.permutation(n) for _ in range(2)])
    return Data("line", x, x[:, 0] + SIGMA * rng.normal(size=n), rows[:, :400], rows[:, 400:])


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder of trials."""
    return tmp_path_factory.mktemp("methods")


@pytest.fixture(scope="module")
def trials(line, kept):
    """A comparison of four methods, with points that a systematic moves."""
    return RegressionComparison([line], "systematic", effort=TINY).run(kept, NAMES)


@pytest.mark.thorough
def test_least_squares_is_right_where_the_world_is_linear(trials):
    """Coverage, width and likelihood of the true model; 800 points, two splits of one table."""
    at = lambda metric: cell(trials, "line", "linear regression", "published", metric).value  # noqa: E731
    assert at("coverage 95") == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / 800))
    assert at("width 95") == pytest.approx(2 * 1.96 * SIGMA, rel=4 / math.sqrt(2 * 400))
    entropy = math.log(SIGMA) + 0.5 * math.log(2 * math.pi * math.e)
    assert at("nll") == pytest.approx(entropy, abs=4 * math.sqrt(0.5 / 800) + 0.01)
    moved = cell(trials, "line", "linear regression", "systematic", "coverage 95").value
    # x₀ one standard deviation too high in half of the points: residuals N(−1, σ²), |N(−2, 1)| < 1.96 with 0.484.
    assert moved == pytest.approx(0.5 * 0.95 + 0.5 * 0.484, abs=4 * math.sqrt(0.5 * 0.5 / 800) + 0.02)


def test_conformal_rows_cover_and_rows_without_noise_do_not(trials):
    for row in ("split conformal", "normalised conformal"):
        for level in (0.68, 0.95):
            # Beta of 100 calibration points in each of two splits, and 400 points judged.
            error = math.sqrt(level * (1 - level) * (1 / 200 + 1 / 800))
            found = cell(trials, "line", row, "published", f"coverage {100 * level:.0f}").value
            assert abs(found - level) < 4 * error
    for row in ("ensemble, epistemic only", "dropout, epistemic only"):
        assert cell(trials, "line", row, "published", "coverage 95").value < 0.85
    assert cell(trials, "line", "MC dropout", "published", "coverage 95").value > 0.85


def test_trials_are_kept_and_the_page_says_all(trials, line, kept):
    comparison = RegressionComparison([line], "systematic", effort=TINY, note="A note.")
    again = comparison.run(kept, NAMES)
    for a, b in zip(trials, again, strict=True):
        assert (a.row, a.seconds) == (b.row, b.seconds)
        for partition in ("published", "systematic"):
            np.testing.assert_array_equal(a.result[partition]["coverage 95"], b.result[partition]["coverage 95"])
    (top,) = comparison.write(kept, trials)
    assert [row[0] for row in top.rows] == [r for n in METHODS if n in NAMES for r in METHODS[n].rows]
    page = (kept / "comparison.html").read_text(encoding="utf-8")
    for text in ("A note.", "marginal, finite n", "MC dropout", "data:image/png"):
        assert text in page
    assert len(read_comparison(kept)["line"]["trials"]) == len(trials)
    assert any("epistemic only" in c and "under" in c for c in regression_warnings(trials, line))
    assert published_table(trials, [line]).rows == ()  # nothing is published about a set of one's own


def test_methods_are_chosen_by_name_in_their_order(trials, kept, line):
    comparison = RegressionComparison([line], "systematic", effort=TINY)
    rows = [t.row for t in comparison.run(kept, ["dropout", "linear regression"])]
    assert rows == ["linear regression", "MC dropout", "dropout, epistemic only"]
    assert set(comparison.names) - set(comparison.default) >= {"deep ensemble as printed"}
    with pytest.raises(InputError, match="variational"):
        comparison.run(kept, ["variatonal"])


def test_the_command_compares_what_is_in_a_folder(line, tmp_path):
    write_set(tmp_path / "sets" / "energy", line)
    where = str(tmp_path / "sets")
    tables = compare_methods(
        where, tmp_path / "out", shift="tail", names=["linear regression"], sets=["energy"], quick=True
    )
    assert tables[0].rows[0][0] == "linear regression"
    assert "tail: at 95 %" in tables[0].columns
    assert (tmp_path / "out" / "figures" / "energy.png").stat().st_size > 10_000
    with pytest.raises(InputError, match="at least 1"):
        compare_methods(where, tmp_path / "out", splits=0)
    with pytest.raises(InputError, match="neither"):
        compare_methods("mine.yaml", tmp_path / "out", splits=2)


def test_published_splits_give_the_published_least_squares(shared, tmp_path):
    """Kompa et al.'s linear regression has no random numbers: their coverage and width, on their splits."""
    if not (shared / "uci").is_dir():
        pytest.skip(f"no UCI sets in {shared}")
    sets = read_sets(shared / "uci")
    found = RegressionComparison(sets).run(tmp_path, ["linear regression"])
    table = published_table(found, sets)
    assert len(table.rows) == 10
    assert max(abs(float(row[5].replace("−", "-"))) for row in table.rows) < 3


def test_trainings_that_ran_out_of_epochs_say_so(line):
    """Only those of single posteriors did: a loss that still fell was said of no network that a split shares."""
    short = RegressionEffort(width=8, epochs=2, batch=50, members=2)
    few = Data("line", line.x[:120], line.y[:120], np.arange(100)[None], np.arange(100, 120)[None])
    (trial,) = RegressionComparison([few], effort=short).run(None, ["mean-variance"])
    assert trial.problem == "1 of 1 trainings: the validation loss still fell when 2 epochs were over"


@pytest.mark.thorough
def test_every_method_gives_the_rows_that_it_names(line):
    """On few points, with short trainings: each kind can be judged, and only what has no density has no likelihood."""
    small = RegressionEffort(
        width=8,
        epochs=3,
        batch=50,
        patience=3,
        members=2,
        draws=5,
        variational=3,
        largest=50,
        chain=8,
        units=2,
        dropout=3,
    )
    few = Data("line", line.x[:120], line.y[:120], np.stack([np.arange(100)] * 2), np.stack([np.arange(100, 120)] * 2))
    found = RegressionComparison([few], "gap", effort=small).run(None, list(METHODS))
    for name, method in METHODS.items():
        for row in method.rows:
            scores = {where: s for t in found if t.row == row for where, s in t.result.items()}
            assert set(scores) == {"published", "gap"}, name
            assert np.isfinite(scores["gap"]["rmse"]).all()
            silent = any(word in row for word in ("conformal", "CQR", "CV+", "quantile"))
            assert np.isnan(scores["gap"]["nll"]).all() == silent


@pytest.mark.slow
def test_deep_ensembles_and_dropout_reproduce_their_papers(shared, tmp_path):
    """NLL on all published splits within 2 standard errors (of both) of the published one; six minutes a set."""
    if not (shared / "uci").is_dir():
        pytest.skip(f"no UCI sets in {shared}")
    sets = read_sets(shared / "uci", ["boston", "energy"])
    found = RegressionComparison(sets).run(tmp_path, ["deep ensemble", "dropout"])
    rows = [row for row in published_table(found, sets).rows if row[2] == "NLL"]
    assert len(rows) == 4
    assert max(abs(float(row[5].replace("−", "-"))) for row in rows) <= 2


@pytest.mark.slow
def test_ensembles_without_adversaries_reproduce_the_published_table(shared, tmp_path):
    """NLL on all published splits of all five sets within 2 standard errors (of both); two minutes."""
    if not (shared / "uci").is_dir():
        pytest.skip(f"no UCI sets in {shared}")
    sets = read_sets(shared / "uci", list(SETS))
    found = RegressionComparison(sets).run(tmp_path, [PLAIN])
    rows = [r for r in published_table(found, sets).rows if r[2] == "NLL"]
    assert len(rows) == 5
    assert max(abs(float(row[5].replace("−", "-"))) for row in rows) <= 2
