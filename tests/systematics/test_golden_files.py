"""Shifted events against files that independent implementations wrote (../shared/data)."""

import numpy as np
import pytest

from verax.data import fair_universe, higgsml, open_table
from verax.systematics import (
    FAIR_UNIVERSE,
    HIGGSML,
    derive,
    fill_missing,
    jet_energy_scale,
    lepton_energy_scale,
    post_selection,
    rounded,
    shift,
    tau_energy_scale,
)

ROUNDING = 0.5e-3  # the files hold three decimals
EPS = float(np.finfo(np.float32).eps)


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "params"), [("nominal", {}), ("jes1.03", {"jes": 1.0}), ("les1.02", {"les": 1.0})])
def test_higgsml(shared, name, params):
    path = shared / "higgsml2014" / "golden" / f"golden_syst_{name}.csv.gz"
    (golden,) = open_table(path).chunks(["EventId", *higgsml.COLUMNS], 5000)
    events = higgsml.load().take(np.arange(2000))
    np.testing.assert_array_equal(events.number, golden["EventId"])
    systematics = [jet_energy_scale(HIGGSML, 0.03), lepton_energy_scale(HIGGSML, 0.02)]
    varied = fill_missing(shift(events, systematics, params), HIGGSML)
    for column in higgsml.COLUMNS:
        np.testing.assert_allclose(varied.column(column), golden[column], atol=1e-3, rtol=0, err_msg=column)


def textbook(x):
    """m_T and m_jj in float64 from the golden file's own measured columns, where its float32 sums cancel."""
    x = {name: values.astype(np.float64) for name, values in x.items() if name.startswith("PRI")}
    two = x["PRI_n_jets"] >= 2
    pt, eta, phi = (
        np.where(two, [x[f"PRI_jet_{rank}_{part}"] for rank in ("leading", "subleading")], 0)
        for part in ("pt", "eta", "phi")
    )
    deta, dphi = eta[0] - eta[1], phi[0] - phi[1]
    dijet = np.sqrt(np.maximum(2 * pt[0] * pt[1] * (np.cosh(deta) - np.cos(dphi)), 0))
    angle = x["PRI_met_phi"] - x["PRI_lep_phi"]
    transverse = np.sqrt(2 * x["PRI_met"] * x["PRI_lep_pt"] * (1 - np.cos(angle)))
    return {"DER_mass_jet_jet": np.where(two, dijet, -25), "DER_mass_transverse_met_lep": transverse}


def cancellation(x):
    """Error of the golden m = √(E² − p²) in float32: a few roundings of E², divided by 2 m."""
    two = x["PRI_n_jets"] >= 2
    energy = {
        "DER_mass_jet_jet": np.where(
            two, sum(x[f"PRI_jet_{r}_pt"] * np.cosh(x[f"PRI_jet_{r}_eta"]) for r in ("leading", "subleading")), 0
        ),
        "DER_mass_transverse_met_lep": x["PRI_met"] + x["PRI_lep_pt"],
    }
    return {name: 4 * EPS * e**2 / np.maximum(np.abs(x[name]), 1e-3) for name, e in energy.items()}


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["nominal_nopost", "tes1.02_nopost", "jes1.03_nopost"])
def test_fair_universe(shared, name):
    compare(shared, name, {"nominal": {}, "tes1.02": {"tes": 2.0}, "jes1.03": {"jes": 3.0}}[name.split("_")[0]], False)


@pytest.mark.parametrize("name", ["nominal_post", "tes0.97_post", "jes0.98_post"])
def test_fair_universe_with_its_post_selection(shared, name):
    compare(shared, name, {"nominal": {}, "tes0.97": {"tes": -3.0}, "jes0.98": {"jes": -2.0}}[name.split("_")[0]], True)


def compare(shared, name, params, select):
    folder = shared / "fair_universe"
    (golden,) = open_table(folder / "golden" / f"golden_{name}.parquet").chunks(["row", *fair_universe.COLUMNS], 5000)
    events = fair_universe.load(folder / "FAIR_Universe_HiggsML_data.parquet")
    systematics = [tau_energy_scale(FAIR_UNIVERSE, 0.01), jet_energy_scale(FAIR_UNIVERSE, 0.01)]
    varied = rounded(shift(events, systematics, params), FAIR_UNIVERSE)
    if select:
        varied, passed = post_selection(varied, FAIR_UNIVERSE)
        varied = varied.take(np.asarray(passed))
        assert len(varied) < len(events)
    np.testing.assert_array_equal(varied.number, golden["row"])
    exact, error = textbook(golden), cancellation({k: v.astype(np.float64) for k, v in golden.items()})
    for column in fair_universe.COLUMNS:
        ours = np.asarray(varied.column(column), np.float64)
        allowed = 1e-3 + error.get(column, 0.0)
        assert np.all(np.abs(ours - golden[column]) <= allowed), column
        if column in exact:
            np.testing.assert_allclose(ours, exact[column], atol=1e-3, rtol=0, err_msg=column)


def test_without_rounding_the_published_files_are_missed(shared):
    """The comparison can fail: three decimals of momenta and azimuths are seen in the transverse mass."""
    folder = shared / "fair_universe"
    (golden,) = open_table(folder / "golden" / "golden_tes1.02_nopost.parquet").chunks(
        ["DER_mass_vis", "DER_pt_tot"], 5000
    )
    events = fair_universe.load(folder / "FAIR_Universe_HiggsML_data.parquet")
    tes = tau_energy_scale(FAIR_UNIVERSE, 0.01)
    assert np.abs(shift(events, [tes], {"tes": 2.0}).column("DER_pt_tot") - golden["DER_pt_tot"]).max() > 1e-2
    assert np.abs(shift(events, [tes], {"tes": 1.0}).column("DER_mass_vis") - golden["DER_mass_vis"]).max() > 1e-1


def test_fair_universe_columns_close_on_the_published_ones(shared):
    path = shared / "fair_universe" / "FAIR_Universe_HiggsML_data.parquet"
    (stored,) = open_table(path).chunks(fair_universe.COLUMNS, 5000)
    events = derive(fair_universe.load(path), FAIR_UNIVERSE)
    for column in FAIR_UNIVERSE.recomputed:
        np.testing.assert_allclose(events.column(column), stored[column], atol=0.01, rtol=0, err_msg=column)
