"""What is counted twice is found, and what only looks like it is not."""

import pytest

from audited import control, norm, shape, subject
from verax.audit import Severity
from verax.audit._twice import gamma_twice, simulation_rows_twice, systematic_twice
from workspaces import MU, sample


@pytest.mark.parametrize(
    ("second", "severity"), [([5.0], Severity.WARNING), ([5.2], Severity.WARNING), ([20.0], Severity.NOTE)]
)
def test_two_errors_bin_by_bin_of_one_sample(second, severity):
    found = gamma_twice(subject(control(("stat", "staterror", [5.0]), ("own", "shapesys", second))))
    assert found.severity == severity
    [only] = found.findings
    assert (only.place.parameter, only.place.channel, only.place.process) == ("stat and own", "CR", "bkg")
    assert only.numbers["bins"] == 1


def test_one_error_bin_by_bin_is_in_order():
    stat = ("stat", "staterror", [5.0])
    channels = control(stat)
    channels["CR"].append(sample("other", [30.0], stat))  # one γ for both
    found = gamma_twice(subject(channels))
    assert found.severity == Severity.OK
    assert "0 of 2 samples" in found.found


def rows(size, bins=(100.0, 80.0)):
    """A systematic that moves the first bin alone, beside staterror of 5 events there."""
    up, down = ([bins[0] + s * size, *bins[1:]] for s in (1, -1))
    bkg = sample("bkg", list(bins), ("stat", "staterror", [5.0] * len(bins)), shape("mc_bin0", up, down))
    return simulation_rows_twice(subject({"SR": [sample("sig", [20.0] * len(bins), MU), bkg]}))


@pytest.mark.parametrize(("size", "severity"), [(5.0, Severity.WARNING), (5.3, Severity.WARNING), (8.0, Severity.OK)])
def test_a_row_of_simulation_statistics_beside_a_gamma(size, severity):
    found = rows(size)
    assert found.severity == severity
    assert ("0 of 1" if severity == Severity.OK else "1 of 1") in found.found
    if severity == Severity.WARNING:
        assert (found.findings[0].place.parameter, found.findings[0].place.bins) == ("mc_bin0", (0,))
        assert found.findings[0].numbers["size"] == pytest.approx(size)


def test_in_a_process_of_one_bin_a_row_may_be_a_normalisation():
    assert rows(5.0, (100.0,)).severity == Severity.NOTE
    assert rows(5.3, (100.0,)).severity == Severity.OK


def test_systematics_of_all_bins_are_no_rows():
    bkg = sample("bkg", [100.0, 100.0], ("stat", "staterror", [5.0, 5.0]), norm("lumi", 0.05))
    found = simulation_rows_twice(subject({"SR": [sample("sig", [20.0, 1.0], MU), bkg]}))
    assert (found.severity, found.findings) == (Severity.OK, ())


def two_bins(*modifiers):
    return systematic_twice(subject({"SR": [sample("sig", [20.0, 1.0], MU), sample("bkg", [100.0, 50.0], *modifiers)]}))


def test_a_yield_that_is_in_normsys_and_histosys_of_one_parameter():
    found = two_bins(norm("jes", 0.1), shape("jes", [111.0, 54.0], [89.0, 46.0]))
    assert found.severity == Severity.WARNING
    assert found.findings[0].place.parameter == "jes"
    assert found.findings[0].numbers["normsys"] == pytest.approx(0.1)
    assert found.findings[0].numbers["size"] == pytest.approx(15 / 150)


def test_a_shape_that_keeps_the_yield_belongs_beside_its_normsys():
    assert two_bins(norm("jes", 0.1), shape("jes", [104.0, 46.0], [96.0, 54.0])).severity == Severity.OK


@pytest.mark.parametrize(
    ("one", "other", "severity"),
    [
        (norm("a", 0.1), shape("b", [110.0, 55.0], [90.0, 45.0]), Severity.WARNING),  # the same, said in two ways
        (shape("a", [104.0, 46.0], [96.0, 54.0]), shape("b", [104.1, 46.0], [95.9, 54.0]), Severity.WARNING),
        (shape("a", [104.0, 46.0], [96.0, 54.0]), shape("b", [96.0, 54.0], [104.0, 46.0]), Severity.WARNING),  # turned
        (shape("a", [104.0, 46.0], [96.0, 54.0]), shape("b", [104.0, 54.0], [96.0, 46.0]), Severity.OK),
        (shape("a", [104.0, 46.0], [96.0, 54.0]), shape("b", [102.0, 48.0], [98.0, 52.0]), Severity.OK),
        (norm("a", 0.05), norm("b", 0.05), Severity.NOTE),
        (norm("a", 0.05), norm("b", 0.051), Severity.OK),
    ],
)
def test_two_parameters_with_one_effect(one, other, severity):
    found = two_bins(one, other)
    assert found.severity == severity
    if severity != Severity.OK:
        assert found.findings[0].place.parameter == "a and b"
        assert abs(found.findings[0].numbers["cosine"]) == pytest.approx(1.0, abs=1e-3)


def test_many_with_one_effect_are_one_finding():
    found = two_bins(*(norm(f"n{k}", 0.05) for k in range(6)), shape("other", [104.0, 46.0], [96.0, 54.0]))
    [only] = found.findings
    assert only.place.parameter == "n0 and n1 and n2 and 3 more"
    assert (found.severity, only.numbers["parameters"]) == (Severity.NOTE, 6)
