"""Few events, coverage and pruning, against Poisson sums and sums of variances."""

import jax
import numpy as np
import pytest
from scipy.stats import poisson

from audited import shape, subject
from verax.audit import Severity
from verax.audit._asymptotic import coverage_at_the_fit, few_events
from verax.audit._pruning import pruning
from verax.audit._subject import Subject
from verax.infer import fit
from verax.model import binned_likelihood, example_templates
from workspaces import MU, sample


@pytest.mark.parametrize(("background", "severity"), [(4.0, Severity.WARNING), (1000.0, Severity.OK)])
def test_events_that_tell_signal_from_none_are_the_background_of_one_bin(background, severity):
    channels = {"SR": [sample("sig", [background**0.5], MU), sample("bkg", [background])]}
    found = few_events(subject(channels, {"SR": [background + 5 * round(background**0.5)]}))
    assert found.severity == severity
    assert f"{background:,.1f} effective events tell no signal".replace(",", "\N{THIN SPACE}") in found.found
    if severity == Severity.WARNING:
        assert found.findings[0].numbers["events"] == pytest.approx(background)


def test_an_estimate_at_zero_has_events_too_and_one_without_an_end_is_not_checked():
    at_zero = few_events(subject({"SR": [sample("sig", [5.0], MU), sample("bkg", [4.0])]}, {"SR": [2]}))
    assert at_zero.severity == Severity.WARNING
    idle = subject({"SR": [sample("sig", [0.0], MU), sample("bkg", [40.0])]}, {"SR": [42]})
    assert few_events(idle).severity == Severity.NOT_MADE


def exact(expected):
    """Coverage of {ν: 2[ν − n − n ln(ν/n)] ≤ 1} at a Poisson mean."""
    n = np.arange(0, 10 * int(expected) + 50)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = 2 * (expected - n - np.where(n > 0, n * np.log(expected / np.maximum(n, 1)), 0.0))
    return poisson.pmf(n, expected)[t <= 1.0].sum()


def test_coverage_is_that_of_poisson_sums():
    """One event has an interval that covers 55 % where the fit is; with 400 it covers as it says. One compiled model."""
    toys, channels = 400, {"SR": [sample("sig", [100.0], MU), sample("bkg", [0.0])]}
    for observed, severity in ((1, Severity.WARNING), (400, Severity.OK)):
        found = coverage_at_the_fit(subject(channels, {"SR": [observed]}), jax.random.key(3), toys)
        fraction = float(found.found.split(" ± ")[0])
        truth = exact(observed)
        assert fraction == pytest.approx(truth, abs=3.5 * (truth * (1 - truth) / toys) ** 0.5)
        assert found.severity == severity
        assert f"of {toys} toys (0 failed)" in found.found
    assert exact(1) == pytest.approx(0.552, abs=1e-3)
    # At the bound μ = 0, on a background of 20, all n ≤ 20 hold 0; half of the estimates have no σ, and no bias is said.
    at_bound = subject({"SR": [sample("sig", [100.0], MU), sample("bkg", [20.0])]}, {"SR": [15]})
    found = coverage_at_the_fit(at_bound, jax.random.key(3), toys)
    n = np.arange(21, 100)
    truth = poisson.cdf(20, 20) + poisson.pmf(n, 20)[2 * (20 - n + n * np.log(n / 20)) <= 1].sum()
    assert float(found.found.split(" ± ")[0]) == pytest.approx(truth, abs=3.5 * (truth * (1 - truth) / toys) ** 0.5)
    assert found.severity == Severity.NOTE
    assert len(found.findings) == 1
    assert "estimates at a bound" in found.found


def many_small(size, count=40, events=1e5):
    """Systematics of ``size`` events each, straight, on a bin of which the signal is a hundredth."""
    small = [shape(f"s{k:02d}", [events + size], [events - size]) for k in range(count)]
    channels = {"SR": [sample("sig", [0.01 * events], MU), sample("bkg", [events], *small)]}
    return subject(channels, expected=True)


def test_many_small_systematics_are_not_negligible_together():
    """σ² = ν + Σ s² with them and ν without."""
    found = pruning(many_small(400.0))
    assert found.severity == Severity.NOTE
    numbers, nu = found.findings[0].numbers, 1.01e5
    assert (numbers["effects"], numbers["parameters"]) == (40, 40)
    assert numbers["error_change"] == pytest.approx((nu / (nu + 40 * 400**2)) ** 0.5 - 1, abs=1e-4)
    assert numbers["shift"] == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize(("size", "text"), [(1.0, "40 effects and 40 whole parameters"), (600.0, "0 effects")])
def test_what_is_negligible_or_stays_is_in_order(size, text):
    found = pruning(many_small(size))
    assert (found.severity, found.findings) == (Severity.OK, ())
    assert text in found.found


def test_what_no_workspace_can_say_cannot_be_pruned():
    model = binned_likelihood(example_templates(), free={"mu": ("signal",)}, bounds={"mu": (0.0, np.inf)})
    data = model.asimov({})
    found = pruning(Subject(model, data, "mu", fit(model, data)))
    assert found.severity == Severity.NOT_MADE
    assert "bounds" in found.found
