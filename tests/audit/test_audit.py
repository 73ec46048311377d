"""The audit as a whole: every check has its line, and one that cannot be made is not in order."""

import jax
import pytest

from audited import control, norm, shape, subject
from verax.audit import Severity, audit, is_expected
from verax.audit._audit import CHECKS
from verax.errors import InputError
from verax.model import example_model
from workspaces import MU, sample

NAMES = [*(c.name for c in CHECKS), "coverage at the fit"]


def test_a_clean_measurement_says_what_was_checked():
    channels = control(norm("lumi", 0.02), ("stat", "staterror", [1.0]))
    channels["SR"][1] = sample("bkg", [50.0], ("stat_sr", "staterror", [0.5]))
    given = subject(channels, {"SR": [70], "CR": [108]})
    verdicts = audit(given.model, given.data, "mu")
    assert [v.name for v in verdicts] == NAMES
    assert {v.name for v in verdicts if v.severity != Severity.OK} == {"coverage at the fit"}
    assert verdicts[-1].severity == Severity.NOT_MADE
    assert all(v.found for v in verdicts)
    assert all(v.threshold for v in verdicts[:-1])


def test_names_are_those_that_the_checks_give():
    given = subject(control(norm("lumi", 0.02), ("stat", "staterror", [1.0])), {"SR": [70], "CR": [108]})
    assert [c.made(given).name for c in CHECKS] == [c.name for c in CHECKS]


def test_expected_data_pull_nothing_and_it_is_said():
    given = subject(control(norm("lumi", 0.02)), expected=True)
    assert is_expected(given.model, given.data)
    found = {v.name: v for v in audit(given.model, given.data, "mu")}
    for name in ("pulls", "goodness of fit"):
        assert found[name].severity == Severity.NOT_MADE
        assert "expected ones" in found[name].found
    assert found["over-constraints"].severity == Severity.OK
    model, data = example_model()
    assert not is_expected(model, data)


def test_after_a_failed_fit_no_check_of_it_is_in_order():
    k, m = ("k", "normfactor", None), ("m", "normfactor", None)
    given = subject({"SR": [sample("sig", [20.0, 5.0], MU), sample("bkg", [50.0, 80.0], k, m)]})
    found = {v.name: v for v in audit(given.model, given.data, "mu", key=jax.random.key(0), n_toys=10)}
    assert found["convergence"].severity == Severity.FAILURE
    needy = {c.name for c in CHECKS if "fit" in c.needs} | {"coverage at the fit"}
    assert {n for n in needy if found[n].severity == Severity.NOT_MADE} == needy
    assert found["one-sided systematics"].severity == Severity.OK


def test_without_a_parameter_of_interest_what_is_about_it_is_not_checked():
    given = subject(control(shape("jes", [103.0], [97.0])), {"SR": [70], "CR": [108]})
    found = {v.name: v for v in audit(given.model, given.data)}
    assert found["few events"].severity == found["pruning"].severity == Severity.NOT_MADE
    assert found["pulls"].severity == Severity.OK


def test_what_is_no_audit_is_refused():
    model, data = example_model()
    with pytest.raises(InputError, match="'mux'"):
        audit(model, data, "mux")
    with pytest.raises(InputError, match="without a key"):
        audit(model, data, "mu", n_toys=5)
    with pytest.raises(InputError, match="n_toys"):
        audit(model, data, "mu", n_toys=-1)
