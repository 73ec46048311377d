"""Comparison of approaches: its figures are those of exact calculations, its trials are kept, its page says all."""

import json
from dataclasses import replace

import equinox as eqx
import jax
import numpy as np
import pytest

from comparison_folder import read_comparison
from toy_analysis import write_analysis
from verax.approaches import APPROACHES
from verax.cli import _main as cli
from verax.compare import (
    ApproachComparison,
    ApproachEffort,
    Case,
    Response,
    approach_warnings,
    area,
    cases,
    compare_approaches,
    covered,
    measure_approach,
    random_table,
    uncertainty_table,
)
from verax.errors import InputError
from verax.infer import expected_error
from verax.learn import bernoulli, classifier
from verax.parameters import nuisance
from verax.problems import AbstractProblem, Mixture, Rotating
from verax.problems._problem import assemble
from verax.results import Coverage, Interval
from verax.systematics import Systematic
from verax.systematics._detector import normal_pair

TINY = ApproachEffort(events=2000, evaluation=4000, width=8, depth=1, epochs=2, batch=500, toys=20, experiments=3)
STILL_FELL = "the validation loss still fell when 2 epochs were over; allow more epochs"


SMALL = {
    "systematics": [{"name": "scale", "effect": "scale", "columns": ["pt"], "width": 0.02, "group": "detector"}],
    "channels": None,
    "normalisations": None,
    "pseudo_experiment": None,
    "learn": {"folds": 2, "width": 8, "epochs": 2, "batch": 512},
    "binning": {"max_bins": 2, "fine_bins": 20},
}


class Resolution(AbstractProblem):
    """A peak over a plain background in one variable x, whose resolution is not known: a one-sided effect."""

    features: tuple[str, ...] = ("x",)
    processes: tuple[str, ...] = ("signal", "background")
    signal: tuple[str, ...] = ("signal",)
    yields: tuple[float, ...] = (100.0, 5000.0)
    systematics: tuple[Systematic, ...] = (
        Systematic(nuisance("width", "detector"), lambda e, theta: smeared(e, theta), one_sided=True, changes=("x",)),
    )

    def nominal(self, key, n):
        first, second = jax.random.split(key)
        x = [0.3 + 0.05 * jax.random.normal(first, (n, 1)), 0.5 + 0.5 * jax.random.normal(second, (n, 1))]
        return assemble(key, x, columns=self.features, processes=self.processes, yields=self.yields)


class Member(eqx.Module):
    """A network with an axis ``member`` that has nothing to learn."""

    network: eqx.Module
    nothing: jax.Array | np.ndarray

    @property
    def features(self):
        return self.network.features

    def __call__(self, x):
        return self.network(x)


def smeared(events, theta):
    return events.replace({"x": events.column("x") + 0.02 * theta * normal_pair(events.number)[:, 0]})


class Itself(eqx.Module):
    """Logit of x."""

    features: tuple[str, ...] = eqx.field(static=True, default=("x",))

    def __call__(self, x):
        return jax.scipy.special.logit(jax.numpy.clip(x[0], 0.001, 0.999))


class Exact(eqx.Module):
    """The exact classifier of the rotating problem's nominal angle, with a leading axis ``member`` as networks have."""

    direction: jax.Array
    features: tuple[str, ...] = eqx.field(static=True, default=("x0", "x1"))

    def __call__(self, x):
        return 2 * (x @ self.direction) / 0.7**2


@pytest.fixture(scope="module")
def exact():
    """The response of the exact nominal classifier in 100 bins."""
    direction = jax.numpy.full((1, 2), np.sqrt(0.5), np.float32)
    sample = jax.tree.map(np.asarray, Rotating().sample(jax.random.key(8), {}, 400_000))
    edges = tuple(np.linspace(0.0, 1.0, 101).tolist())
    return Response(Rotating(), Exact(direction), bernoulli, edges, sample)


@pytest.mark.thorough
@pytest.mark.parametrize(("z", "sigma", "tolerance"), [(np.pi / 4, 0.06874, 0.01), (np.pi / 2, 0.12716, 0.02)])
def test_the_exact_classifier_has_its_exact_uncertainty(exact, z, sigma, tolerance):
    """From the density, bins of f(x; π/4): simulation noise of 400,000 events and merged bins are below a per cent."""
    found = float(expected_error(exact.local({"z": Rotating.theta_of(z)}), "mu"))
    assert found == pytest.approx(sigma, rel=tolerance)


@pytest.mark.thorough
def test_the_interval_covers_where_the_model_is_right(exact):
    result = covered(jax.random.key(4), exact, exact.likelihood(), {}, 400)
    assert abs(result.pull) < 3.5
    assert result.failed == 0


@pytest.mark.parametrize(("z", "exactly"), [(np.pi / 4, 0.978324), (np.pi / 2, 0.923436)])
def test_the_exact_classifier_has_its_exact_area(exact, z, exactly):
    assert area(exact, {"z": Rotating.theta_of(z)}) == pytest.approx(exactly, abs=0.002)


def test_every_event_is_in_a_bin_at_any_angle(exact):
    for z in (np.pi / 4, 0.1):
        counts = exact({"mu": 2.0, "z": Rotating.theta_of(z)})
        np.testing.assert_allclose(counts.sum(axis=1), [1000, 50_000], rtol=1e-4)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    case = Case("mixture 1", Mixture(benchmark=1), 10, {"nominal": {}, "r = +0.25": {"r": 0.25}}, "signal events")
    trials = ApproachComparison([case], TINY).run(folder, ("propagate", "inferno"), seed=3)
    return folder, case, trials


@pytest.mark.thorough
def test_a_trial_has_all_that_is_judged(done):
    _, case, trials = done
    for t in (trial.result for trial in trials):
        assert set(t.total) == set(case.truths) == set(t.coverage) == set(t.histograms)
        assert t.total["nominal"] > t.statistical > 14.0  # no summary beats the exact 14.70 by more than its noise
        assert t.total["nominal"] ** 2 == pytest.approx(t.statistical**2 + t.shares["r"] ** 2, rel=1e-3)
        assert t.random.low.shape == t.random_truth.shape == (3,)


def test_finished_trials_are_kept(done):
    folder, case, trials = done
    (again,) = ApproachComparison([case], TINY).run(folder, ("inferno",), seed=3)
    assert again.result.total == trials[1].result.total
    assert again.seconds == trials[1].seconds  # made again, it would have taken another time


@pytest.mark.thorough
def test_the_page_and_its_tables(done):
    folder, case, trials = done
    ApproachComparison([case], TINY).write(folder, trials)
    page = (folder / "comparison.html").read_text()
    for text in ("exact likelihood", "exact classifier", "16.79", "arXiv:1806.04743"):
        assert text in page
    assert read_comparison(folder)["mixture 1"]["limits"]["exact"]["nominal"] == pytest.approx(15.50, rel=0.005)
    shown = uncertainty_table(trials, case, case.limits())
    assert [row[0] for row in shown.rows] == ["exact likelihood", "exact classifier, same bins", "propagate", "inferno"]
    assert shown.rows[1][1] == "19.39"


@pytest.mark.thorough
def test_an_analysis_file_is_compared_on_the_command_line(tmp_path, capsys):
    """Each approach goes through the whole pipeline; the table holds what their reports say."""
    path = write_analysis(tmp_path, n=400, **SMALL)
    options = [
        "--approach",
        "propagate",
        "--approach",
        "augment",
        "--output",
        str(tmp_path / "out"),
        "--quiet",
        "--quick",
    ]
    with pytest.raises(SystemExit) as stopped:
        cli.main(["compare", "approaches", "--problem", str(path), *options])
    assert stopped.value.code == 0
    assert "Toy measurement" in capsys.readouterr().err
    content = read_comparison(tmp_path / "out")
    trials = {t["row"]: t["result"] for t in content["Expected uncertainty"]["trials"]}
    assert set(trials) == {"propagate", "augment"}
    for name, one in trials.items():
        report = json.loads((tmp_path / "out" / f"{name}-1" / "results.json").read_text())
        assert one["expected"] == report["results"]["expected"]
        (coverage,) = one["coverage"].values()
        assert coverage["n"] + coverage["failed"] == 300  # --quick
    assert trials["propagate"]["expected"]["interval"] != trials["augment"]["expected"]["interval"]
    assert "augment" in (tmp_path / "out" / "comparison.html").read_text()


def test_under_coverage_is_said(done):
    _, case, trials = done
    bad = Coverage(0.6827, 0.5, 0.01, 1.0, 0.01, 2000, 7)
    found = [replace(t, result=replace(t.result, coverage=dict.fromkeys(case.truths, bad))) for t in trials]
    said = approach_warnings(found, case)
    assert any("propagate: under-covers at nominal" in line for line in said)
    assert any("7 of 2007 intervals failed" in line for line in said)


@pytest.mark.thorough
def test_adversaries_and_parameterised_networks_are_trials_too():
    case = Case("rotating", Rotating(), 10, {"nominal": {}, "z = π/2": {"z": Rotating.theta_of(np.pi / 2)}})
    for name in ("adversarial", "parameterised"):
        found = measure_approach(jax.random.key(5), case, name, 0, TINY)
        assert np.isfinite(found.result.total["nominal"])
        assert found.problem in ("", STILL_FELL)


def test_every_problem_has_cases():
    names = [case.name for problem in ("mixture", "pivot", "rotating", "collider") for case in cases(problem)]
    assert names == [*(f"mixture {b}" for b in range(5)), "pivot", "rotating", "collider"]
    assert [c.name for c in cases("mixture 2")] == ["mixture 2"]


def test_thinned_events_have_the_same_histogram(exact):
    """Within the error of the kept events, at nominal and away from it; fewer of them, none of its process alone."""
    few = exact.thinned(jax.random.key(9), 60_000)
    assert len(few.sample) == pytest.approx(60_000, abs=4 * 60_000**0.5)
    assert min(np.bincount(few.sample.process)) > 5_000
    for params in ({}, {"z": Rotating.theta_of(np.pi / 2)}):
        whole, (part, variance) = exact.fine(params)[0], few.fine(params)
        sound = variance > 0
        pull = (part - whole)[sound] / np.sqrt(variance[sound])
        # The sample's own events are common to both, so that pulls are smaller than one.
        assert np.sqrt(np.mean(pull**2)) < 1.2


def test_a_one_sided_effect_is_a_parabola_in_its_square():
    """Templates out to θ = 4 meet the simulation at 0, 4/√2 and 4, and in between to a few per mille of a bin."""
    sample = jax.tree.map(np.asarray, Resolution().sample(jax.random.key(2), {}, 50_000))
    edges = tuple(np.linspace(0.0, 1.0, 9).tolist())
    networks = Member(Itself(), np.zeros(1, np.float32))
    response = Response(Resolution(), networks, bernoulli, edges, sample, reach={"width": 4.0})
    model = response.likelihood()
    assert response.values({"width": 2.0}) == {"mu": 1.0, "width": 0.25}
    for theta, tolerance in ((0.0, 1e-5), (4 / 2**0.5, 1e-5), (-4.0, 1e-5), (2.0, 0.01)):
        truth = response({"width": abs(theta)}).sum(axis=0)
        found = model.asimov(response.values({"width": theta})).counts[: response.bins]
        np.testing.assert_allclose(found, truth, rtol=tolerance)


def test_a_yield_needs_no_histogram_of_its_own():
    """Mixture 4: b times 1 + 0.1 θ, exactly; and weighed so, not filled again."""
    problem = Mixture(benchmark=4)
    sample = jax.tree.map(np.asarray, problem.sample(jax.random.key(6), {}, 2000))
    network = classifier(jax.random.key(0), sample, features=problem.features, width=8, depth=1)
    networks = jax.tree.map(lambda a: a[None] if eqx.is_array(a) else a, network)
    response = Response(problem, networks, bernoulli, tuple(np.linspace(0, 1, 11).tolist()), sample)
    up = response.fine({"b": 1.0})[0]
    assert len(response._filled) == 1
    np.testing.assert_allclose(up, [[1.0], [1.1]] * response.fine({})[0], rtol=1e-5)


def test_experiments_at_random_truths_are_judged(done):
    _, case, trials = done
    wrong = Interval("mu", 0.6827, np.full(400, 5.0), np.full(400, 4.9), np.full(400, 5.1), np.zeros(400, int))
    bad = [replace(t, result=replace(t.result, random=wrong, random_truth=np.ones(400))) for t in trials]
    assert any("propagate: under-covers at random truths: 0.000" in line for line in approach_warnings(bad, case))
    shown = random_table(bad, case)
    assert shown.rows[0][:4] == ("propagate", "400", "0", "0.000 ± 0.023")
    assert shown.columns[-3:] == ("statistical", "r", "training, s")


def test_unknown_names(tmp_path):
    with pytest.raises(InputError, match=r"problem.*mixture"):
        compare_approaches("mixtur", tmp_path)
    with pytest.raises(InputError, match=r"approach.*inferno"):
        ApproachComparison([]).run(tmp_path, ("infero",))
    with pytest.raises(InputError, match="seeds"):
        ApproachComparison([]).run(tmp_path, APPROACHES, seeds=0)


@pytest.mark.parametrize(("seed", "seeds"), [(2**32, 1), (2**32 - 1, 2), (-1, 1), (1, 10**9)])
def test_seeds_that_would_be_others_are_refused(seed, seeds, tmp_path):
    with pytest.raises(InputError, match=r"seeds?: got"):
        compare_approaches("mixture", tmp_path / "run", seed=seed, seeds=seeds)
    assert not (tmp_path / "run").exists()
