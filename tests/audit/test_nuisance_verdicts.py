"""Pulls and constraints of one systematic in one bin have closed forms."""

import math

import pytest

from audited import control, norm, pulled, shape, subject
from verax.audit import Severity
from verax.audit._nuisances import over_constraints, parameters_without_effect, pulls
from workspaces import sample


def closed_form(rise, observed, events=100.0):
    """θ̂ and σ̂: −log L = ν − n ln ν + θ²/2 with ν = b + Sθ, so S θ² + (b + S²) θ + S(b − n) = 0, σ̂⁻² = 1 + n S²/ν²."""
    p = events + rise**2
    theta = (-p + math.sqrt(p**2 - 4 * rise**2 * (events - observed))) / (2 * rise)
    return theta, (1 + observed * rise**2 / (events + rise * theta) ** 2) ** -0.5


def tension(theta, rise, events=100.0):
    """θ̂ / √(1 − σ²) with σ⁻² = 1 + S²/ν, of the data expected at the fit."""
    return theta / math.sqrt(1 - 1 / (1 + rise**2 / (events + rise * theta)))


@pytest.mark.parametrize(
    ("rise", "observed", "severity"),
    [(10.0, 150, Severity.WARNING), (10.0, 122, Severity.NOTE), (10.0, 108, Severity.OK)],
)
def test_a_pull_has_its_size_error_tension_and_cause(rise, observed, severity):
    found = pulls(pulled(rise, observed))
    theta, sigma = closed_form(rise, observed)
    assert found.severity == severity
    if severity == Severity.OK:
        assert found.findings == ()
        assert f"{theta:+.2f}, jes" in found.found
        return
    [only] = found.findings
    assert only.place.parameter == "jes"
    assert only.numbers["pull"] == pytest.approx(theta, abs=1e-6)
    assert only.numbers["error"] == pytest.approx(sigma, abs=1e-6)
    assert only.numbers["tension"] == pytest.approx(tension(theta, rise), abs=1e-4)
    assert only.numbers["from CR"] == pytest.approx(theta, abs=1e-5)  # the channels' pulls add up to it
    assert only.numbers["from SR"] == pytest.approx(0.0, abs=1e-6)


def test_a_small_pull_of_a_parameter_that_the_data_hardly_know_is_a_tension():
    """S = 1 on 100 events: θ̂ = 0.7 only, though the data are 7 σ away: nothing in the model can follow them."""
    found = pulls(pulled(1.0, 175))
    theta, _ = closed_form(1.0, 175)
    assert abs(theta) < 1
    assert found.severity == Severity.WARNING
    assert found.findings[0].numbers["tension"] == pytest.approx(
        tension(theta, 1.0), rel=1e-3
    )  # a fit ends 10⁻⁴ σ aside


def test_gammas_are_pulled_too():
    """γ of 10 % on 100 events with 150 observed: a pull as of a systematic of 10 events, in the same closed form."""
    stat = ("stat", "staterror", [10.0])
    found = pulls(subject(control(stat), {"SR": [70], "CR": [150]}))
    assert found.severity == Severity.WARNING
    assert found.findings[0].place.parameter == "γ CR[0]"
    assert found.findings[0].numbers["pull"] == pytest.approx(closed_form(10.0, 150)[0], abs=1e-5)


@pytest.mark.parametrize(("rise", "severity"), [(30.0, Severity.WARNING), (10.0, Severity.NOTE), (2.0, Severity.OK)])
def test_a_constraint_is_that_of_gaussian_errors_and_says_who_tells(rise, severity):
    """σ̂⁻² = 1 + S²/b at n = b."""
    found = over_constraints(pulled(rise, 100))
    ratio = (1 + rise**2 / 100) ** -0.5
    assert found.severity == severity
    assert f"the least {ratio:.2f}, jes" in found.found
    if severity != Severity.OK:
        assert found.findings[0].numbers["ratio"] == pytest.approx(ratio, abs=1e-6)
        assert found.findings[0].numbers["σ from CR"] == pytest.approx(ratio, abs=1e-4)
        assert found.findings[0].numbers["σ from SR"] == pytest.approx(1.0, abs=1e-6)


def test_a_parameter_that_is_wider_than_its_prior_is_noted():
    """Code 4p's even part has curvature 15/4 at 0: σ̂⁻² = 1 + 15/4 A (1 − n/b)."""
    found = over_constraints(subject(control(shape("s", [101.0], [101.0])), {"SR": [70], "CR": [110]}))
    assert found.severity == Severity.NOTE
    assert found.findings[0].numbers["ratio"] == pytest.approx((1 + 15 / 4 * (1 - 1.1)) ** -0.5, abs=1e-5)


def test_a_parameter_that_moves_nothing_is_named():
    moves, idle = norm("moves", 0.05), norm("idle", 0.0)
    found = parameters_without_effect(subject(control(moves, idle)))
    assert found.severity == Severity.NOTE
    assert [f.place.parameter for f in found.findings] == ["idle"]
    assert parameters_without_effect(subject(control(moves))).severity == Severity.OK


def test_a_parameter_that_acts_where_nothing_starts_is_not_idle():
    """A signal that begins at μ = 0 hides its systematics, not from the fit."""
    channels = control()
    channels["SR"][0] = sample("sig", [20.0], ("mu", "normfactor", None), norm("theory", 0.1))
    settings = [{"name": "mu", "inits": [0.0], "bounds": [[0.0, 10.0]]}]
    assert parameters_without_effect(subject(channels, parameters=settings)).severity == Severity.OK
