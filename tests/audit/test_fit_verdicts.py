"""Convergence, second minima and goodness of fit: known answers, and workspaces that are in order."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from audited import control, norm, pulled, shape, subject, valley
from verax.audit import Severity
from verax.audit._fit import convergence, goodness_of_fit, second_minima
from verax.infer import local_minima
from workspaces import MU, sample


def test_a_fit_that_converged_is_in_order():
    found = convergence(pulled(10.0, 110))
    assert found.severity == Severity.OK
    assert "mu = 1.00" in found.found
    assert found.action == ""


def test_two_factors_of_one_process_are_named():
    k, m = ("k", "normfactor", None), ("m", "normfactor", None)
    found = convergence(subject({"SR": [sample("sig", [20.0, 5.0], MU), sample("bkg", [50.0, 80.0], k, m)]}))
    assert found.severity == Severity.FAILURE
    assert {f.place.parameter for f in found.findings} == {"k", "m", ""}
    shares = [f.found for f in found.findings if f.place.parameter]
    assert all("share 0.50" in text for text in shares)


@pytest.mark.parametrize(("observed", "bound", "severity"), [(30, 0.0, Severity.NOTE), (400, 10.0, Severity.WARNING)])
def test_a_bound_of_physics_is_a_note_and_a_range_of_search_a_warning(observed, bound, severity):
    found = convergence(subject(control(), {"SR": [observed], "CR": [100]}))
    assert found.severity == severity
    assert found.findings[0].place.parameter == "mu"
    assert f"bound {bound:g}" in found.findings[0].found


def test_a_second_minimum_is_said_with_its_place_and_height():
    two = subject(control(shape("s", [112.0], [108.0])), {"SR": [70], "CR": [150]})
    found = second_minima(two)
    assert found.severity == Severity.WARNING
    [other] = found.findings
    (x, low), (y, high) = valley(12.0, 150), valley(8.0, 150)
    assert low < high  # the fit is on the right
    assert other.place.parameter == "s"
    assert other.numbers["value"] == pytest.approx(-y, abs=1e-5)
    assert other.numbers["fit"] == pytest.approx(x, abs=1e-4)  # a fit ends 10⁻⁹ above the minimum
    assert other.numbers["t"] == pytest.approx(2 * (high - low), abs=1e-6)
    assert other.numbers["poi"] == pytest.approx(1.0, abs=1e-5)


def test_a_minimum_that_the_fit_missed_is_a_failure():
    two = subject(control(shape("s", [112.0], [108.0])), {"SR": [70], "CR": [150]})
    (x, low), (y, high) = valley(12.0, 150), valley(8.0, 150)
    value = np.where(np.array(two.best.names) == "s", -y, two.best.value)
    missed = replace(two, best=replace(two.best, value=value, nll=np.asarray(two.best.nll + high - low)))
    found = second_minima(missed)
    assert found.severity == Severity.FAILURE
    assert found.findings[0].numbers["t"] == pytest.approx(2 * (low - high), abs=1e-6)
    assert found.findings[0].numbers["value"] == pytest.approx(x, abs=1e-5)


def test_a_far_second_minimum_is_a_note():
    far = subject(control(shape("s", [130.0], [103.0])), {"SR": [70], "CR": [190]})
    (_, low), (_, high) = valley(30.0, 190), valley(3.0, 190)
    assert 2 * (high - low) > 9
    found = second_minima(far)
    assert found.severity == Severity.NOTE
    assert found.findings[0].numbers["t"] == pytest.approx(2 * (high - low), abs=1e-5)


def test_one_minimum_is_in_order_and_the_starts_are_counted():
    found = second_minima(pulled(10.0, 150))
    assert (found.severity, found.findings) == (Severity.OK, ())
    assert "no other minima from 22 starts" in found.found


def test_starts_that_failed_are_counted_and_many_are_a_note(monkeypatch):
    def failing(model, data, **options):
        return replace(local_minima(model, data, **options), starts=22, failed=lost)

    monkeypatch.setattr("verax.audit._fit.local_minima", failing)
    for lost, severity in ((2, Severity.OK), (12, Severity.NOTE)):
        found = second_minima(pulled(10.0, 150))
        assert found.severity == severity
        assert found.found == f"no other minima from 22 starts, {lost} of them failed"


@pytest.mark.parametrize(
    ("observed", "severity"), [(108, Severity.OK), (122, Severity.NOTE), (150, Severity.WARNING), (100, Severity.NOTE)]
)
def test_goodness_of_fit_is_that_of_a_known_background(observed, severity):
    """μ takes the signal region; the control region has one degree of freedom. Too close is a note as well."""
    found = goodness_of_fit(subject(control(), {"SR": [70], "CR": [observed]}))
    assert found.severity == severity
    if severity != Severity.OK:
        statistic = 2 * (100 - observed + observed * np.log(observed / 100))
        assert found.findings[0].numbers["p_value"] == pytest.approx(chi2.sf(statistic, 1), abs=1e-6)
    if observed > 100 and severity != Severity.OK:
        assert found.findings[0].place.channel == "CR"


def test_few_events_make_a_p_value_of_goodness_uncertain():
    channels = {"SR": [sample("sig", [1.0] * 12, MU), sample("bkg", [0.5] * 12)]}
    found = goodness_of_fit(subject(channels, {"SR": [1, 0, 2] * 4}))
    assert found.severity == Severity.NOTE
    assert any("few events" in f.found for f in found.findings)


def test_without_degrees_of_freedom_goodness_is_not_checked():
    found = goodness_of_fit(subject({"SR": [sample("sig", [20.0], MU), sample("bkg", [50.0], norm("n", 0.1))]}))
    assert found.severity == Severity.NOT_MADE
