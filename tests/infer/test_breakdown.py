import jax
import numpy as np
import pytest

from likelihoods import counting, make_templates, realistic
from verax.errors import InputError
from verax.infer import breakdown, fit, goodness_of_fit, sample_toys
from verax.model import Data, binned_likelihood
from verax.parameters import nuisance
from verax.workspace import from_pyhf
from workspaces import MU, sample, workspace

METHODS = ["shifted-observables", "freeze"]
SIGNAL, BACKGROUND, MOVED = np.array([30.0, 5.0]), np.array([100.0, 60.0]), np.array([8.0, -8.0])
RATE = SIGNAL + BACKGROUND


def impacts(result):
    return {row.name: row.impact for row in result.rows}


@pytest.fixture(scope="module")
def moving():
    """Two bins; one systematic moves background from one to the other, so all is linear in μ and θ."""
    nominal = np.stack([SIGNAL, BACKGROUND])
    up, down = np.stack([SIGNAL, BACKGROUND + MOVED]), np.stack([SIGNAL, BACKGROUND - MOVED])
    templates = make_templates(nominal, systematics=[(nuisance("move", "modelling"), up, down)])
    return binned_likelihood(templates, free={"mu": ("signal",)})


@pytest.mark.thorough
def test_two_bins_and_one_systematic_in_closed_form(moving):
    mu_mu, mu_theta, theta_theta = (SIGNAL**2 / RATE).sum(), (SIGNAL * MOVED / RATE).sum(), 1 + (MOVED**2 / RATE).sum()
    determinant = mu_mu * theta_theta - mu_theta**2
    total, by_auxiliary, known = np.sqrt(theta_theta / determinant), abs(mu_theta) / determinant, 1 / np.sqrt(mu_mu)

    shifted = impacts(breakdown(moving, moving.asimov({}), "mu"))
    expected = {"total": total, "statistical": np.sqrt(total**2 - by_auxiliary**2), "modelling": by_auxiliary}
    for name, value in expected.items():
        assert shifted[name] == pytest.approx(value, rel=1e-6)

    frozen = impacts(breakdown(moving, moving.asimov({}), "mu", method="freeze"))
    expected = {"total": total, "statistical": known, "data only": known, "modelling": np.sqrt(total**2 - known**2)}
    for name, value in expected.items():
        assert frozen[name] == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_bin_without_signal_and_errors_of_the_background_alone(method):
    """σ² = n/s² + δ²/s² of the bin with signal, the other says nothing; the second row of systematics was NaN."""
    error = ("staterror_c", "staterror", [5.0, 4.0])
    samples = {"c": [sample("s", [12.0, 0.0], MU), sample("b", [50.0, 52.0], error)]}
    model, _, _ = from_pyhf(workspace(samples))
    data = model.asimov({})
    rows, fitted = impacts(breakdown(model, data, "mu", method=method)), fit(model, data)
    expected = {"total": np.sqrt(62 + 25) / 12, "statistical": np.sqrt(62) / 12, "systematics": 5 / 12}
    for name, value in {**expected, "simulation statistics": 5 / 12, "floating normalisations": 0.0}.items():
        assert rows[name] == pytest.approx(value, rel=1e-6, abs=1e-9)
    assert fitted.error[0] == pytest.approx(expected["total"], rel=1e-6)
    found = goodness_of_fit(model, Data(data.counts + np.array([10.0, 0.0]), data.auxiliary))
    assert (found.ndf, found.status) == (1, 0)
    assert found.statistic == pytest.approx(0.0, abs=1e-7)  # μ̂ takes all of the first bin


@pytest.mark.thorough
def test_the_parts_are_those_of_refits_with_such_a_bin():
    """Of data shifted by 0.02 of their spread, one after the other."""
    jes = ("jes", "histosys", {"hi_data": [54.0, 55.0], "lo_data": [47.0, 50.0]})
    rest = ("xsec", "normsys", {"hi": 1.1, "lo": 0.92}), ("staterror_c", "staterror", [3.0, 4.0])
    signal = sample("s", [12.0, 0.0], MU, ("lumi", "normsys", {"hi": 1.02, "lo": 0.98}))
    channels = {"c": [signal, sample("b", [50.0, 52.0], jes, *rest)]}
    model, data, _ = from_pyhf(workspace(channels, observations={"c": [58.0, 66.0]}))
    best = fit(model, data)
    spread, n = model.spread(best.params, data), model.n_constraints

    def slope(k):
        moved = [Data(data.counts + h * c, data.auxiliary + h * a) for h in (0.02, -0.02) for c, a in [directions[k]]]
        up, down = (fit(model, d).params["mu"] for d in moved)
        return (up - down) / 0.04

    sizes = np.concatenate([spread.counts, spread.auxiliary])
    directions = [(row[:2], row[2:]) for row in np.diag(sizes)]
    each = np.array([slope(k) for k in range(len(sizes))])
    rows = impacts(breakdown(model, data, "mu"))
    refits = {"statistical": each[:2], "systematics": each[2:], "simulation statistics": each[2 + n :]}
    for name, part in refits.items():
        assert rows[name] == pytest.approx(np.linalg.norm(part), rel=1e-3)


@pytest.mark.thorough
@pytest.mark.parametrize("method", METHODS)
def test_two_bins_and_a_floating_normalisation_in_closed_form(method):
    templates = make_templates([SIGNAL, BACKGROUND])
    model = binned_likelihood(templates, free={"mu": ("signal",), "norm": ("background",)})
    rows = impacts(breakdown(model, model.asimov({}), "mu", method=method))
    ss, sb, bb = ((a * b / RATE).sum() for a, b in ((SIGNAL, SIGNAL), (SIGNAL, BACKGROUND), (BACKGROUND, BACKGROUND)))
    total, known = np.sqrt(bb / (ss * bb - sb**2)), 1 / np.sqrt(ss)
    expected = {"total": total, "statistical": total, "data only": known, "systematics": 0.0}
    expected["floating normalisations"] = np.sqrt(total**2 - known**2)
    for name, value in expected.items():
        assert rows[name] == pytest.approx(value, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_one_bin_with_simulation_statistics_in_closed_form(method):
    model = counting(20.0, 100.0, relative_error=0.07)
    rows = impacts(breakdown(model, model.asimov({}), "mu", method=method))
    assert rows["statistical"] == pytest.approx(np.sqrt(120) / 20, rel=1e-6)
    assert rows["simulation statistics"] == pytest.approx(120 * 0.07 / 20, rel=1e-5)


@pytest.mark.thorough
def test_shifted_observables_add_in_quadrature_to_the_total():
    model = realistic()
    data = model.asimov({"mu": 1.4, "theta1": 0.5})
    result = breakdown(model, data, "mu")
    rows = impacts(result)
    assert rows["total"] == pytest.approx(fit(model, data).error[0], rel=1e-9)
    assert np.hypot(rows["statistical"], rows["systematics"]) == pytest.approx(rows["total"], rel=1e-3)
    assert np.hypot(rows["data only"], rows["floating normalisations"]) == pytest.approx(rows["statistical"], rel=1e-9)
    parts = np.array([rows[name] for name in ("experiment", "theory", "simulation statistics")])
    assert np.linalg.norm(parts) == pytest.approx(rows["systematics"], rel=1e-9)
    assert np.hypot(rows["leptons"], rows["jets"]) == pytest.approx(rows["experiment"], rel=1e-9)
    assert rows["total"] > rows["statistical"] > rows["data only"] > 0
    assert result.rows[0].note == ""


def test_rows_are_nested_in_the_order_of_a_talk():
    names = [(row.name, row.depth) for row in breakdown(realistic(), realistic().asimov({}), "mu").rows]
    assert names == [
        ("total", 0), ("statistical", 1), ("data only", 2), ("floating normalisations", 2), ("systematics", 1),
        ("experiment", 2), ("leptons", 3), ("jets", 3), ("theory", 2), ("simulation statistics", 2),
    ]  # fmt: skip


def test_shifted_observables_are_what_refits_of_shifted_data_give():
    model = realistic()
    data = model.asimov({})
    step = 0.02
    moved = np.zeros((8, 7 + 4))
    for j in range(4):
        moved[2 * j, j], moved[2 * j + 1, j] = step, -step
    batch = Data(np.tile(data.counts, (8, 1)), data.auxiliary + moved)
    slopes = np.diff(fit(model, batch).value[:, 0].reshape(4, 2), axis=1)[:, 0] / (-2 * step)
    rows = impacts(breakdown(model, data, "mu"))
    assert rows["leptons"] == pytest.approx(np.hypot(slopes[0], slopes[2]), rel=5e-3)
    assert rows["jets"] == pytest.approx(abs(slopes[1]), rel=5e-3)
    assert rows["theory"] == pytest.approx(abs(slopes[3]), rel=5e-3)


@pytest.mark.thorough
def test_freezing_never_gives_nan():
    model = realistic()
    data = sample_toys(jax.random.key(4), model, {"mu": 0.2}, 10)
    for i in range(10):
        for row in breakdown(model, Data(data.counts[i], data.auxiliary[i]), "mu", method="freeze").rows:
            assert np.isfinite([row.impact, row.up, row.down]).all()
            assert min(row.impact, row.up, row.down) >= 0


def test_bad_requests(moving):
    data = moving.asimov({})
    with pytest.raises(InputError, match="did you mean 'mu'"):
        breakdown(moving, data, "muu")
    with pytest.raises(InputError, match="'freeze'"):
        breakdown(moving, data, "mu", method="frieze")
    with pytest.raises(InputError, match="one data set"):
        breakdown(moving, Data(data.counts[None], data.auxiliary[None]), "mu")


@pytest.mark.thorough
@pytest.mark.parametrize("method", METHODS)
def test_errors_of_one_process_and_of_the_simulation_have_rows_of_their_own(method):
    """Two channels, one with ``shapesys``, one with ``staterror``: one measures μ, and each adds what it does alone."""
    signal, background, error = 20.0, 100.0, 9.0
    alone = {"shapesys": "uncorrelated shapes", "staterror": "simulation statistics"}
    both = {}
    for kind, row in alone.items():
        spec = workspace({kind: [sample("s", [signal], MU), sample("b", [background], ("e", kind, [error]))]})
        model = from_pyhf(spec).model
        rows = impacts(breakdown(model, model.asimov({}), "mu", method=method))
        assert rows[row] == pytest.approx(error / signal, rel=2e-3)
        assert not ({*alone.values()} - {row}) & {*rows}
        both |= {kind: rows[row]}
    channels = [spec_channel(k, signal, background, error) for k in alone]
    model = from_pyhf(workspace(dict(channels))).model
    rows = impacts(breakdown(model, model.asimov({}), "mu"))
    for kind, row in alone.items():  # two equally good measurements: each counts half
        assert rows[row] == pytest.approx(both[kind] / 2, rel=2e-2)


def spec_channel(kind, signal, background, error):
    return kind, [sample("s", [signal], MU), sample("b", [background], (f"e_{kind}", kind, [error]))]
