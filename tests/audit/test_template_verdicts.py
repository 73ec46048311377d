"""Sides and sizes of systematics, events behind templates, and empty bins: sizes that were put in."""

import pytest

from audited import control, norm, shape, subject
from verax.audit import Severity
from verax.audit._simulation import empty_bins, few_simulated_events
from verax.audit._variations import large_variations, one_sided, same_side
from workspaces import MU, sample


def test_straight_systematics_are_in_order():
    straight = subject(control(shape("jes", [103.0], [97.0]), norm("lumi", 0.02)))
    for check in (one_sided, same_side, large_variations):
        found = check(straight)
        assert (found.severity, found.findings) == (Severity.OK, ())
    assert "0 of 2 variations" in one_sided(straight).found
    assert "largest yield 3.0 %, jes, bkg, CR" in large_variations(straight).found


@pytest.mark.parametrize(("up", "severity"), [(106.0, Severity.WARNING), (101.0, Severity.NOTE)])
def test_a_side_that_is_nominal_is_named_and_judged_by_what_it_bends(up, severity):
    """The part that both sides share is half the change; the data count 100 ± 10."""
    given = subject(control(shape("model", [up], [100.0])))
    found = one_sided(given)
    assert found.severity == severity
    assert found.findings[0].numbers["shared"] == pytest.approx((up - 100) / 2 / 10)
    assert found.findings[0].numbers["up"] == pytest.approx((up - 100) / 100)
    assert "down is nominal" in found.findings[0].found
    assert same_side(given).severity == Severity.OK


@pytest.mark.parametrize(
    ("up", "down", "severity", "text"),
    [
        (103.0, 103.0, Severity.WARNING, "up and down are the same"),
        (104.0, 102.0, Severity.WARNING, "both sides move the yield alike"),
        (100.4, 100.2, Severity.NOTE, "both sides move the yield alike"),
    ],
)
def test_sides_that_move_alike_are_named_with_what_they_share(up, down, severity, text):
    given = subject(control(shape("model", [up], [down])))
    found = same_side(given)
    assert found.severity == severity
    assert text in found.findings[0].found
    assert found.findings[0].numbers["shared"] == pytest.approx(((up + down) / 2 - 100) / 10)
    assert one_sided(given).severity == Severity.OK


@pytest.mark.parametrize("kind", ["staterror", "shapesys"])
def test_what_sides_share_is_measured_in_the_errors_of_data_and_simulation(kind):
    given = subject(control(shape("model", [104.0], [102.0]), ("own", kind, [10.0])))
    assert same_side(given).findings[0].numbers["shared"] == pytest.approx(3 / (100 + 10**2) ** 0.5)


@pytest.mark.parametrize(("error", "severity"), [(0.5, Severity.WARNING), (20.0, Severity.OK)])
def test_bins_that_move_alike_count_beyond_the_error_of_the_simulation(error, severity):
    """The yields move apart; both sides raise bin 0 by 5 events, and lower no other alike."""
    bent = shape("model", [105.0, 103.0], [105.0, 90.0])
    stat = ("stat", "staterror", [error, error])
    samples = [sample("sig", [20.0, 0.0], MU), sample("bkg", [100.0, 100.0], bent, stat)]
    found = same_side(subject({"SR": samples}))
    assert found.severity == severity
    assert severity == Severity.OK or found.findings[0].place.bins == (0,)


def test_large_variations_are_said_with_their_size():
    found = large_variations(subject(control(norm("theory", 0.3, -0.2))))
    assert found.severity == Severity.NOTE
    assert found.findings[0].numbers["size"] == pytest.approx(0.3)
    whole = large_variations(subject(control(shape("model", [205.0], [60.0]))))
    assert whole.severity == Severity.WARNING
    assert whole.findings[0].place.bins == (0,)


def test_fewer_than_no_events_at_one_sigma_are_a_warning():
    found = large_variations(subject(control(shape("model", [150.0], [-10.0]))))
    assert found.severity == Severity.WARNING
    negative = [f for f in found.findings if "fewer than 0" in f.found]
    assert [(f.place.parameter, f.place.channel) for f in negative] == [("model", "CR")]
    assert negative[0].numbers["size"] == pytest.approx(-10.0)


@pytest.mark.parametrize(("kind", "group"), [("staterror", "stat"), ("shapesys", "own")])
@pytest.mark.parametrize(("error", "severity"), [(40.0, Severity.WARNING), (5.0, Severity.OK)])
def test_events_behind_a_template_are_counted(error, severity, kind, group):
    found = few_simulated_events(subject(control((group, kind, [error]))))
    assert found.severity == severity
    events = (100 / error) ** 2
    assert f"the least {events:.1f} effective events, CR[0]" in found.found
    assert f"in data in {int(events < 100)} of 2 bins" in found.found
    assert "no errors of sig" in found.found
    if severity == Severity.WARNING:
        assert found.findings[0].numbers["events"] == pytest.approx(6.25)


@pytest.mark.parametrize(("small", "error", "severity"), [(20.0, 8.0, Severity.NOTE), (4.0, 2.0, Severity.OK)])
def test_a_process_of_few_events_counts_where_its_error_does(small, error, severity):
    channels = control(("stat", "staterror", [1.0]))
    channels["CR"].append(sample("other", [small], ("stat", "staterror", [error])))
    found = few_simulated_events(subject(channels))
    assert found.severity == severity
    if severity == Severity.NOTE:
        assert found.findings[0].place.process == "other"
        assert found.findings[0].numbers["events"] == pytest.approx((small / error) ** 2)


def test_without_errors_of_the_simulation_its_events_cannot_be_counted():
    found = few_simulated_events(subject(control(norm("lumi", 0.02))))
    assert found.severity == Severity.NOT_MADE
    assert "staterror" in found.action


@pytest.mark.parametrize(("observed", "severity"), [(3, Severity.WARNING), (0, Severity.NOTE)])
def test_a_bin_without_background_is_named(observed, severity):
    samples = [sample("sig", [5.0, 2.0], MU), sample("bkg", [50.0, 0.0])]
    found = empty_bins(subject({"SR": samples}, {"SR": [55, observed]}))
    assert found.severity == severity
    assert found.findings[0].place.bins == (1,)
    assert found.findings[0].numbers["observed"] == observed


def test_a_negative_template_is_named_and_full_bins_are_in_order():
    samples = [sample("sig", [5.0, 2.0], MU), sample("bkg", [50.0, 40.0]), sample("interference", [1.0, -0.5])]
    found = empty_bins(subject({"SR": samples}))
    assert found.severity == Severity.NOTE
    assert [(f.place.process, f.place.bins) for f in found.findings] == [("interference", (1,))]
    assert empty_bins(subject(control())).severity == Severity.OK
