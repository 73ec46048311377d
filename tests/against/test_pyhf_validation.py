"""The set-ups of pyhf's own validation (scikit-hep/pyhf, tests/test_validation.py): nine asymptotic ones, one by toys.

Two references: pyhf run here with a tightened SciPy optimizer, held to the relative tolerances that pyhf states for each
set-up; and the numbers that pyhf publishes there. Those were made by a looser minimiser: pyhf run here differs from them
by up to 1.2e-4, so much is granted. pyhf pins ``normsys`` to code 1; naming one modifier's code there takes the others'
to code 0. It asks for the statistic "q", but with μ ≥ 0 in its fits: the statistic is q̃'s, only its distribution is q's.
"""

import jax
import numpy as np
import pyhf
import pytest
from scipy.stats import norm

from verax.infer import cls, fit, sample_toys, significance
from verax.model import code0, code1
from verax.workspace import from_pyhf
from workspaces import validation

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema:DeprecationWarning")

CODES = {"normsys": {"interpcode": "code1"}, "histosys": {"interpcode": "code0"}}
# name of the file: tolerance stated by pyhf, published CLs observed, published CLs expected (−2σ to +2σ)
PUBLISHED = {
    "1bin_example1": (
        1e-6,
        0.45418892944576333,
        [0.06372011644331387, 0.1509686618126131, 0.3279657430196915, 0.604613569829645, 0.8662652332047568],
    ),
    "1bin_lumi": (
        4e-6,
        0.010473144401519705,
        [0.01060400765567206, 0.04022451457730529, 0.13614632580079802, 0.37078985531427255, 0.7110468540175344],
    ),
    "1bin_normsys": (
        3e-6,
        0.0006735336290569807,
        [
            7.472581399417304e-10,
            5.741738272450336e-8,
            3.690120950161796e-6,
            0.00016966882793076826,
            0.004392935288879465,
        ],
    ),
    "2bin_histosys_example2": (
        8e-5,
        0.1001463460725534,
        [7.133904244038431e-6, 0.00012547100627138575, 0.001880010666437615, 0.02078964907605385, 0.13692494523572218],
    ),
    "2bin_2channel_example1": (
        1e-6,
        0.0563327694384318,
        [0.0004349234603527283, 0.003422361539161119, 0.02337454317608372, 0.12186650297311125, 0.40382274594391104],
    ),
    "2bin_2channel_couplednorm": (
        1e-6,
        0.5906216823766879,
        [0.05522270453784095, 0.1361301880753241, 0.30686879632329855, 0.5839437910061168, 0.8554708284963864],
    ),
    "2bin_2channel_coupledhisto": (
        1e-6,
        0.07967400132261188,
        [
            1.7654378902209275e-5,
            0.00026266409358853543,
            0.0033401113778672156,
            0.03152286332324451,
            0.17907927340107824,
        ],
    ),
    "2bin_2channel_coupledshapefactor": (
        2.5e-6,
        0.5421679124909312,
        [0.013753299929451691, 0.048887400056355966, 0.15555296253957684, 0.4007561343326305, 0.7357169630955912],
    ),
}
DISCOVERY = (
    3e-4,
    0.003936883191585841,
    [1.2204714710520103e-5, 0.0006405237426269669, 0.013202867164405075, 0.11119604157594337, 0.41286079728391695],
)
TOYS = (0.004, [0.0, 0.0, 0.0135, 0.1365, 0.39854497])  # 2000 toys each
PUBLISHED_ACCURACY = 1.5e-4


@pytest.fixture(scope="module")
def setups(shared):
    return validation(shared / "workspaces/pyhf_validation")


@pytest.fixture(autouse=True, scope="module")
def tightened():
    pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-14))
    yield
    pyhf.set_backend("numpy")


def theirs(spec, mu, statistic):
    workspace = pyhf.Workspace(spec)
    model = workspace.model(modifier_settings=CODES)
    observed, bands = pyhf.infer.hypotest(
        mu, workspace.data(model), model, test_stat=statistic, return_expected_set=True
    )
    return float(observed), np.array(bands, float)


HIGHER = "2bin_2channel_coupledhisto"
"""At μ = 1 pyhf, and so what it publishes, is in the higher of two minima, on the other side of the histosys."""


def test_a_higher_minimum_is_theirs(setups):
    """pyhf's own likelihood is larger at our conditional fit than at its own: q̃ is 2.2, not 2.9, and CLs .138, not .080."""
    model, data, poi = from_pyhf(setups[HIGHER], normsys=code1, histosys=code0)
    best = conditional(model, data, poi, 1.0)
    workspace = pyhf.Workspace(setups[HIGHER])
    their_model = workspace.model(modifier_settings=CODES)
    counts = workspace.data(their_model)
    theirs_at, twice = pyhf.infer.mle.fixed_poi_fit(1.0, counts, their_model, return_fitted_val=True)
    ours_at = [best[name] for name in their_model.config.par_names]
    _, ours = pyhf.infer.mle.fixed_poi_fit(1.0, counts, their_model, init_pars=ours_at, return_fitted_val=True)
    assert float(ours) < float(twice) - 0.5
    assert float(ours) == pytest.approx(2 * fit(model, data, fixed={poi: 1.0}).nll, abs=1e-6)
    assert cls(model, data, poi, np.array([1.0])).observed[0] == pytest.approx(0.1383, abs=1e-4)
    assert len(theirs_at) == len(ours_at)


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != HIGHER])
def test_cls(setups, name):
    tolerance, published, published_bands = PUBLISHED[name]
    model, data, poi = from_pyhf(setups[name], normsys=code1, histosys=code0)
    found = cls(model, data, poi, np.array([1.0]))
    assert not found.status.any()
    observed, bands = theirs(setups[name], 1.0, "qtilde")
    assert float(found.observed[0]) == pytest.approx(observed, rel=tolerance)
    np.testing.assert_allclose(found.expected[:, 0], bands, rtol=tolerance)
    width, root = norm.isf(found.expected[2, 0] / 2), np.sqrt(found.q[0])
    as_q = norm.sf(root) / norm.sf(root - width)  # the distribution of q, not of q̃
    assert float(as_q) == pytest.approx(published, rel=PUBLISHED_ACCURACY)
    np.testing.assert_allclose(found.expected[:, 0], published_bands, rtol=PUBLISHED_ACCURACY)


def conditional(model, data, poi, mu):
    """All parameters at their fit to the data with ``poi`` = ``mu``."""
    best = fit(model, data, fixed={poi: mu})
    assert best.status == 0
    return best.params


def test_discovery(setups):
    tolerance, published, published_bands = DISCOVERY
    spec = setups["1bin_example1_q0"]
    model, data, poi = from_pyhf(spec, normsys=code1, histosys=code0)
    observed, bands = theirs(spec, 0.0, "q0")
    found = float(significance(model, data, poi).p_value)
    params = conditional(model, data, poi, 1.0)
    asimov = significance(model, model.asimov(params, model.profiled(params, data)), poi)
    expected = norm.sf(float(asimov.z) + np.arange(2, -3, -1))
    assert found == pytest.approx(observed, rel=tolerance)
    np.testing.assert_allclose(expected, bands, rtol=tolerance)
    assert found == pytest.approx(published, rel=tolerance)
    np.testing.assert_allclose(expected, published_bands, rtol=4e-4)  # pyhf run here is 3.3e-4 off the −2σ one


@pytest.mark.thorough
def test_discovery_by_toys(setups):
    """Both sides throw toys; ours so many that the error is theirs."""
    model, data, poi = from_pyhf(setups["1bin_example1_q0"], normsys=code1, histosys=code0)
    best = {mu: conditional(model, data, poi, mu) for mu in (0.0, 1.0)}
    n = 20_000
    thrown = [
        significance(
            model, sample_toys(jax.random.key(i), model, best[mu], n, profiled=model.profiled(best[mu], data)), poi
        )
        for i, mu in enumerate(best)
    ]
    assert all((t.status <= 1).all() for t in thrown)
    null, signal = (t.q0 for t in thrown)
    observed = float(np.mean(null >= float(significance(model, data, poi).q0) - 1e-6))
    error = np.sqrt(observed * (1 - observed) * (1 / n + 1 / 2000))
    assert abs(observed - TOYS[0]) < 4 * error
    # The bands: what p-value has the toy with signal that is 2σ, 1σ, … out. The quantiles' errors come on top.
    for sigma, published in zip((2, 1, 0, -1, -2), TOYS[1], strict=True):
        around = norm.cdf(sigma + np.array([-1, 0, 1]) * 4 / np.sqrt(2000) / norm.pdf(sigma) * _spread(sigma))
        p = np.array([np.mean(null >= q - 1e-6) for q in np.quantile(signal, around)])
        slack = 4 * np.sqrt(np.maximum(p[1] * (1 - p[1]), 1 / 2000) / 2000)
        assert p[2] - slack <= published <= p[0] + slack


def _spread(sigma):
    """Standard deviation of one draw's normal score at a quantile, in units of √n."""
    tail = norm.cdf(sigma)
    return np.sqrt(tail * (1 - tail))
