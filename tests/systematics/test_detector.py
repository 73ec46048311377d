"""Energy scales and soft term: published means, invariants, derivatives, determinism."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from verax.data import higgsml
from verax.errors import InputError
from verax.systematics import HIGGSML, jet_energy_scale, lepton_energy_scale, shift, soft_met, tau_energy_scale
from verax.systematics._detector import normal_pair

SYSTEMATICS = (
    tau_energy_scale(HIGGSML, 0.03),
    jet_energy_scale(HIGGSML, 0.03),
    lepton_energy_scale(HIGGSML, 0.02),
    soft_met(HIGGSML, 3.0),
)
NAMES = ("tes", "jes", "les", "soft_met")
COLUMNS = ("DER_mass_vis", "DER_mass_transverse_met_lep", "DER_pt_h", "DER_sum_pt", "PRI_met", "PRI_tau_pt")
MEANS = {  # independent implementation, 22,889 rows, unweighted; rounded to 0.001
    "nominal": (81.130, 49.389, 58.069, 158.509, 41.817, 38.762),
    "tes": (82.337, 48.957, 58.069, 159.671, 41.773, 39.925),
    "jes": (81.130, 49.359, 59.522, 160.702, 42.915, 38.762),
    "les": (81.937, 50.690, 58.069, 159.441, 41.860, 38.762),
}


@pytest.fixture(scope="module")
def events():
    return higgsml.load()


@pytest.fixture(scope="module")
def at():
    """``shift`` compiled once for all four parameters."""
    return jax.jit(lambda events, theta: shift(events, SYSTEMATICS, dict(zip(NAMES, theta, strict=True))))


def unit(name):
    return jnp.asarray([float(n == name) for n in NAMES], jnp.float32)


def test_nominal_is_the_identity(events, at):
    assert shift(events, SYSTEMATICS, {}) is events
    assert shift(events, SYSTEMATICS, {"tes": 0.0, "soft_met": 0}) is events
    same = at(events, unit("nominal"))
    measured = events.index(HIGGSML.measured)
    np.testing.assert_array_equal(np.asarray(same.x)[:, measured], events.x[:, measured])  # to the last bit
    # recomputed columns: rounding of sums of a few hundred GeV in float32
    np.testing.assert_allclose(same.x, events.x, rtol=3e-6, atol=3e-4)
    np.testing.assert_array_equal(same.weight, events.weight)


@pytest.mark.parametrize("name", MEANS)
def test_column_means(events, at, name):
    varied = at(events, unit(name))
    means = [np.asarray(varied.column(column), np.float64).mean() for column in COLUMNS]
    np.testing.assert_allclose(means, MEANS[name], atol=6e-4)


@pytest.mark.parametrize("name", ["tes", "les"])
def test_pt_h_does_not_feel_tau_and_lepton_scale_in_any_event(events, at, name):
    varied = at(events, 4 * unit(name))
    assert np.abs(np.asarray(varied.column("PRI_met")) - events.column("PRI_met")).max() > 10
    scale = events.column("PRI_tau_pt") + events.column("PRI_lep_pt") + np.asarray(varied.column("PRI_met"))
    # float32 (6e-8): a handful of roundings of numbers of the size of the momenta and of an azimuth up to π
    assert (np.abs(np.asarray(varied.column("DER_pt_h")) - events.column("DER_pt_h")) / scale).max() < 3e-6


def test_only_the_scaled_objects_move(events, at):
    varied = at(events, unit("jes"))
    same = [c for c in events.columns if "tau_" in c[:8] or c.startswith("PRI_lep") or c == "DER_mass_vis"]
    for column in same:
        np.testing.assert_allclose(varied.column(column), events.column(column), rtol=2e-6)
    jets = np.asarray(events.column("PRI_jet_num"))
    for rank, column in enumerate(["PRI_jet_leading_pt", "PRI_jet_subleading_pt"]):
        before, after = events.column(column), np.asarray(varied.column(column))
        np.testing.assert_allclose(after[jets > rank], 1.03 * before[jets > rank], rtol=1e-6)
        np.testing.assert_array_equal(after[jets <= rank], -999.0)
    np.testing.assert_allclose(varied.column("PRI_jet_all_pt"), 1.03 * events.column("PRI_jet_all_pt"), rtol=1e-6)


@pytest.mark.thorough
def test_limited_to_processes(events):
    limited = tau_energy_scale(HIGGSML, 0.03, processes=("ttbar", "ztautau"))
    varied = shift(events, [limited], {"tes": 1.0})
    chosen = np.asarray(events.is_process(["ttbar", "ztautau"]))
    moved = np.asarray(varied.column("PRI_tau_pt")) != events.column("PRI_tau_pt")
    np.testing.assert_array_equal(moved, chosen)
    np.testing.assert_allclose(np.asarray(varied.x)[~chosen], events.x[~chosen], rtol=3e-6, atol=3e-4)


@pytest.mark.thorough
def test_derivatives_agree_with_finite_differences(events):
    step = 1e-5
    with jax.enable_x64(True):
        few = events.take(np.arange(300))
        few = type(few)(few.x.astype(np.float64), few.weight, few.process, few.number, few.columns, few.processes)
        weights = np.random.default_rng(1).normal(size=len(few.columns))

        @jax.jit
        def mean(theta):
            return (shift(few, SYSTEMATICS, dict(zip(NAMES, theta, strict=True))).x @ weights).mean()

        for theta in (np.zeros(4), np.array([0.5, -1.0, 0.3, 0.7])):
            exact = np.asarray(jax.grad(mean)(theta))
            finite = [(float(mean(theta + s)) - float(mean(theta - s))) / (2 * step) for s in step * np.eye(4)]
            np.testing.assert_allclose(exact, finite, rtol=1e-4)
            assert np.all(np.abs(exact) > 1e-3)


@pytest.mark.thorough
def test_derivatives_are_finite_in_all_events(events, at):
    assert np.all(np.isfinite(jax.jacfwd(lambda t: at(events, t).x.sum(0))(jnp.zeros(4))))
    backwards = jax.jit(jax.grad(lambda e, t: at(e, t).x.sum(), allow_int=True))(events, jnp.zeros(4))
    assert np.all(np.isfinite(backwards.x))


@pytest.mark.thorough
def test_vectorised_over_parameter_points_and_events(events):
    few, points = events.take(np.arange(50)), jnp.asarray([-1.0, 0.0, 2.0])
    tes = [SYSTEMATICS[0]]
    batch = jax.vmap(lambda t: shift(few, tes, {"tes": t}).x)(points)
    for i, point in enumerate(points):
        np.testing.assert_allclose(batch[i], shift(few, tes, {"tes": point}).x, rtol=3e-6, atol=3e-4)
    each = jnp.linspace(-1, 1, 50)
    varied = shift(few, tes, {"tes": each})
    np.testing.assert_allclose(varied.column("PRI_tau_pt"), few.column("PRI_tau_pt") * (1 + 0.03 * each), rtol=1e-6)


@pytest.mark.thorough
def test_soft_term_depends_on_the_event_number_only(events, at):
    whole = np.asarray(at(events, unit("soft_met")).x)
    order = np.random.default_rng(0).permutation(len(events))
    shuffled = np.asarray(at(events.take(order), unit("soft_met")).x)
    np.testing.assert_array_equal(shuffled, whole[order])
    part = at(events.take(np.arange(1000, 1333)), unit("soft_met"))
    np.testing.assert_array_equal(part.x, whole[1000:1333])
    other = shift(events.take(np.arange(100)), [soft_met(HIGGSML, 3.0, seed=1)], {"soft_met": 1.0})
    assert not np.allclose(other.column("PRI_met"), whole[:100, events.columns.index("PRI_met")])


def test_soft_term_smears_by_its_size(events):
    varied = shift(events, [soft_met(HIGGSML, 3.0)], {"soft_met": 1.0})
    assert soft_met(HIGGSML, 3.0).one_sided

    def components(e):
        met, phi = (np.asarray(e.column(c), np.float64) for c in ("PRI_met", "PRI_met_phi"))
        return np.stack([met * np.cos(phi), met * np.sin(phi)])

    added = (components(varied) - components(events)) / 3
    for component in added:
        assert stats.kstest(component, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(added)[0, 1]) < 4 / np.sqrt(len(events))


def test_normal_pairs_are_normal():
    z = np.asarray(jax.jit(normal_pair)(np.arange(200_000, dtype=np.uint32)), np.float64)
    assert np.all(np.isfinite(z))
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    neighbours = np.corrcoef(z[:-1, 0], z[1:, 0])[0, 1]
    assert abs(neighbours) < 4 / np.sqrt(len(z))


def test_equal_systematics_compare_equal():
    assert tau_energy_scale(HIGGSML, 0.03) == SYSTEMATICS[0]
    assert tau_energy_scale(HIGGSML, 0.02) != SYSTEMATICS[0]
    assert hash(soft_met(HIGGSML, 3.0).effect) == hash(SYSTEMATICS[3].effect)


@pytest.mark.parametrize("width", [0.0, -0.1, np.nan, np.inf])
@pytest.mark.parametrize("make", [tau_energy_scale, jet_energy_scale, lepton_energy_scale, soft_met])
def test_a_prior_needs_a_width(make, width):
    with pytest.raises(InputError, match="expected a finite width above zero"):
        make(HIGGSML, width)


def test_missing_columns_are_named(events):
    from verax.events import make_events

    few = make_events({"PRI_tau_pt": np.ones(2), "PRI_met": np.ones(2), "PRI_mte_phi": np.ones(2)})
    with pytest.raises(InputError, match=r"systematic 'tes': got column 'PRI_met_phi'.*did you mean 'PRI_mte_phi'"):
        shift(few, SYSTEMATICS, {"tes": 1.0})
