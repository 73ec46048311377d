"""Thresholds applied again, by hand."""

import jax
import numpy as np
import pytest

from verax.events import make_events
from verax.systematics import FAIR_UNIVERSE, post_selection, rounded

L = FAIR_UNIVERSE


def table(rows):
    names = (*L.measured, "DER_sum_pt", "DER_mass_jet_jet", "DER_pt_ratio_lep_had")
    values = {name: np.full(len(rows), -25.0 if "jet_" in name and name != L.jet_sum else 1.0) for name in names}
    for i, row in enumerate(rows):
        for name, value in row.items():
            values[name][i] = value
    return make_events(values)


def row(tau=30.0, lepton=30.0, jets=()):
    known = {L.tau.pt: tau, L.lepton.pt: lepton, L.n_jets: len(jets), L.jet_sum: sum(jets)}
    for particle, pt in zip((L.leading, L.subleading), jets, strict=False):
        known |= {particle.pt: pt, particle.eta: 0.5, particle.phi: 0.5}
    return known


@pytest.fixture(scope="module")
def result():
    rows = [
        row(),
        row(tau=25.9),
        row(lepton=19.9),
        row(tau=26.0, lepton=20.0),
        row(jets=(60.0, 26.0)),
        row(jets=(26.0, 25.0)),
        row(jets=(60.0, 40.0, 30.0)),
        row(jets=(60.0,)),
        row(jets=(20.0,)),
    ]
    return jax.jit(lambda e: post_selection(e, L))(table(rows))


def test_soft_objects_drop_the_event(result):
    _, passed = result
    np.testing.assert_array_equal(passed, [True, False, False, True, *[True] * 5])


def test_soft_jets_are_removed_from_all_columns(result):
    events, _ = result
    np.testing.assert_allclose(events.column(L.n_jets)[4:], [1, 0, 3, 1, 0])
    np.testing.assert_allclose(events.column(L.jet_sum)[4:], [60, 0, 130, 60, 0])
    np.testing.assert_allclose(events.column(L.leading.pt)[4:], [60, -25, 60, 60, -25])
    for part in ("pt", "eta", "phi"):
        gone = np.asarray(events.column(getattr(L.subleading, part))) == -25
        np.testing.assert_array_equal(gone[4:], [True, True, False, True, True])
    np.testing.assert_allclose(events.column("DER_sum_pt")[4:], [120, 60, 190, 120, 60])
    assert (np.asarray(events.column("DER_mass_jet_jet"))[4:] == -25).tolist() == [True, True, False, True, True]


def test_rounding_reaches_the_derived_columns():
    events = rounded(table([row(tau=30.0004, lepton=60.0006)]), L)
    assert events.column(L.tau.pt)[0] == np.float32(30.0)
    assert events.column("DER_pt_ratio_lep_had")[0] == pytest.approx(60.001 / 30.0, rel=1e-6)
