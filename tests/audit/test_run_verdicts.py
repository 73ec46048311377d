"""What only a run knows, from the content of its files."""

import numpy as np
import pytest

from audited import control, norm, subject
from verax.audit import Severity, audit
from verax.audit import _run as checks


@pytest.mark.parametrize(("there", "severity"), [(1.0, Severity.OK), (1.1, Severity.FAILURE)])
def test_the_result_of_the_run_is_compared_with_its_workspace(there, severity):
    given = subject(control(), {"SR": [70], "CR": [100]})
    results = {"results": {"observed": {"fit": {"parameters": {"mu": there}}}}}
    found = checks.same_result(results, given)
    assert found.severity == severity
    assert "observed: mu" in found.found
    assert checks.same_result({}, given).severity == Severity.NOT_MADE


def test_trainings_that_did_not_end_are_named_by_fold():
    good, bad = {"status": "OK", "problem": ""}, {"status": "MAX_STEPS", "problem": "the loss still fell"}
    found = checks.trainings({"posteriors": [good, bad], "learn": {"members": 5, "epistemic": "bootstrap"}})
    assert found.severity == Severity.WARNING
    assert [f.place.parameter for f in found.findings] == ["fold 2"]
    assert checks.trainings({"posteriors": [good, good]}).severity == Severity.OK
    assert checks.trainings({"posteriors": []}).severity == Severity.NOT_MADE
    lines = {"posteriors": [bad], "warnings": ["networks of fold 1: the loss still fell", "1 of 3 rows dropped"]}
    assert [f.found for f in checks.warnings_of_run(lines).findings] == ["1 of 3 rows dropped"]
    assert checks.warnings_of_run({"warnings": []}).severity == Severity.OK


def test_a_run_knows_how_many_events_stand_behind_its_templates():
    """Also where its likelihood has no errors of the simulation; by the names of processes, and the same templates only."""
    given = subject(control(norm("lumi", 0.02)), {"SR": [70], "CR": [108]})
    variance, order = np.array([[4.0, 0.0], [25.0, 2500.0]]), [1, 0]
    nominal = np.asarray(given.model.nominal)
    filled = {"processes": ["bkg", "sig"], "nominal": nominal[order].tolist(), "variance": variance[order].tolist()}
    found = {v.name: v for v in audit(given.model, given.data, "mu", results={"templates": filled})}
    assert found["few simulated events"].severity == Severity.WARNING
    assert found["few simulated events"].findings[0].numbers["events"] == pytest.approx(100**2 / 2500)
    other = {**filled, "nominal": (2 * nominal[order]).tolist()}
    for results in ({"templates": other}, {"templates": {**filled, "processes": ["bkg"]}}, {}):
        assert checks.variance_of_run(results, given.model) is None


def test_failed_fits_are_counted():
    assert checks.failed_fits({"failed": {"expected: fit": 0, "posteriors": 2}}).severity == Severity.OK
    found = checks.failed_fits({"failed": {"expected: fit": 0, "coverage at mu = 1": 4}})
    assert (found.severity, found.findings[0].numbers["failed"]) == (Severity.WARNING, 4)
    assert checks.failed_fits({}).severity == Severity.NOT_MADE


@pytest.mark.parametrize(
    ("fraction", "severity"), [(0.60, Severity.WARNING), (0.76, Severity.NOTE), (0.70, Severity.OK)]
)
def test_coverage_of_the_run_is_judged_in_its_errors(fraction, severity):
    c = {"fraction": fraction, "error": 0.02, "level": 0.6827, "n": 500, "failed": 0, "width": 1.0, "width_error": 0.1}
    found = checks.coverage_of_run({"coverage": {"mu = 1": c}})
    assert found.severity == severity
    assert f"{fraction:.3f} ± 0.020" in found.found
    assert checks.coverage_of_run({"coverage": {}}).severity == Severity.NOT_MADE


def test_treated_templates_are_listed():
    line = "jes, top in SR: shape pruned (0.10%)"
    found = checks.treated_templates({"treated": [line]})
    assert (found.severity, found.findings[0].found) == (Severity.NOTE, line)
    assert checks.treated_templates({"treated": []}).severity == Severity.OK
    assert checks.treated_templates({}).severity == Severity.NOT_MADE


def test_one_seed_of_training_has_no_spread():
    assert checks.training_seeds({"posteriors": [{"status": "OK"}]}).severity == Severity.NOT_MADE
