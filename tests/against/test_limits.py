"""pyhf as referee of CLs, upper limits, discovery and goodness of fit, on models made in either package."""

import jax
import numpy as np
import pyhf
import pytest

from likelihoods import make_templates, realistic
from onoff import observed, on_off
from verax.infer import cls, goodness_of_fit, limit, sample_toys, significance
from verax.model import Data, binned_likelihood
from verax.workspace import to_pyhf

# pyhf 0.7.6 still uses a part of jsonschema that is announced to go away
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema:DeprecationWarning")

VALUES = np.array([0.4, 1.0, 1.7])


def factor(name):
    return {"name": name, "type": "normfactor", "data": None}


def spec(channels, counts):
    """A pyhf workspace from {channel: {sample: (events, modifiers)}}."""
    return {
        "version": "1.0.0",
        "channels": [
            {"name": c, "samples": [{"name": s, "data": d, "modifiers": m} for s, (d, m) in samples.items()]}
            for c, samples in channels.items()
        ],
        "observations": [{"name": c, "data": counts[c]} for c in channels],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }


def normsys():
    """Made by hand for both: one channel, normalisation systematics of signal and background (interpolation code 4)."""
    systematic = [{"name": "a", "type": "normsys", "data": {"lo": 0.92, "hi": 1.11}}]
    other = [{"name": "b", "type": "normsys", "data": {"lo": 0.7, "hi": 1.2}}]
    signal, background = [12.0, 11.0], [50.0, 52.0]
    theirs = spec({"c": {"s": (signal, [factor("mu"), *systematic]), "b": (background, other)}}, {"c": [55.0, 59.0]})
    templates = make_templates(
        [signal, background],
        systematics=[
            ("a", np.multiply([[1.11], [1.0]], [signal, background]), np.multiply([[0.92], [1]], [signal, background])),
            ("b", np.multiply([[1.0], [1.2]], [signal, background]), np.multiply([[1], [0.7]], [signal, background])),
        ],
    )
    model = binned_likelihood(templates, free={"mu": ("signal",)}, simulation_statistics=False)
    return model, Data(np.array([55.0, 59.0]), np.zeros(2)), theirs


def control_region():
    """Made by hand for both: a floating background measured in a second channel."""
    theirs = spec(
        {
            "on": {"s": ([5.0], [factor("mu")]), "b": ([8.0], [factor("norm")])},
            "off": {"b": ([16.0], [factor("norm")])},
        },
        {"on": [14.0], "off": [18.0]},
    )
    return on_off(), observed(14.0, 18.0), theirs


def exported():
    """Made here, with shapes and simulation statistics, and exported."""
    model = realistic(bins=(3, 2), systematics=3)
    drawn = sample_toys(jax.random.key(3), model, {"mu": 0.5, "theta0": 0.5}, 1)
    auxiliary = drawn.auxiliary[0].copy()
    auxiliary[3:] = 1.0  # pyhf knows no other value for staterror
    data = Data(drawn.counts[0], auxiliary)
    theirs = to_pyhf(model, data, poi="mu")
    for parameter in theirs["measurements"][0]["config"]["parameters"]:
        if parameter["name"] == "mu":
            parameter["bounds"] = [[0.0, 20.0]]
    return model, data, theirs


@pytest.fixture(scope="module", params=[normsys, control_region, exported], ids=lambda f: f.__name__)
def case(request):
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-4, strategy=2))
    model, data, theirs = request.param()
    workspace = pyhf.Workspace(theirs)
    yield model, data, workspace.model(), workspace.data(workspace.model())
    pyhf.set_backend("numpy")


@pytest.mark.thorough
def test_cls_at_values(case):
    model, data, theirs, counts = case
    scan = cls(model, data, "mu", VALUES)
    assert not scan.status.any()
    for k, mu in enumerate(VALUES):
        observed, bands = pyhf.infer.hypotest(mu, counts, theirs, test_stat="qtilde", return_expected_set=True)
        assert scan.observed[k] == pytest.approx(float(observed), rel=3e-4)
        np.testing.assert_allclose(scan.expected[:, k], bands, rtol=3e-4)


@pytest.mark.thorough
def test_upper_limits(case):
    """Where this limit lies pyhf's CLs is 5 %: for the observed one and each of the five expected."""
    model, data, theirs, counts = case
    found = limit(model, data, "mu")
    for kind, value in enumerate([float(found.observed), *found.expected]):
        observed, bands = pyhf.infer.hypotest(value, counts, theirs, test_stat="qtilde", return_expected_set=True)
        assert float([observed, *bands][kind]) == pytest.approx(0.05, rel=3e-4)


def test_discovery(case):
    model, data, theirs, counts = case
    p_value = pyhf.infer.hypotest(0.0, counts, theirs, test_stat="q0")
    assert float(significance(model, data, "mu").p_value) == pytest.approx(float(p_value), rel=3e-4)


@pytest.mark.thorough
def test_saturated_statistic(case):
    """The best fit is pyhf's; the saturated one is theirs at the counts, with each constraint at its largest."""
    model, data, theirs, counts = case
    _, best = pyhf.infer.mle.fit(counts, theirs, return_fitted_val=True)
    auxiliary = np.asarray(counts)[-len(theirs.config.auxdata) or len(counts) :]
    main = pyhf.probability.Poisson(np.asarray(data.counts)).log_prob(np.asarray(data.counts)).sum()
    peak = (
        float(theirs.constraint_logpdf(auxiliary, np.array(theirs.config.suggested_init()))) if auxiliary.size else 0.0
    )
    if any(data.auxiliary[: sum(p.constraint is not None for p in model.parameters)]):
        pulls = data.auxiliary[: sum(p.constraint is not None for p in model.parameters)]
        peak += 0.5 * float(
            np.sum(pulls**2)
        )  # suggested_init is where the nuisances are 0, not where they were measured
    statistic = float(best) - 2 * -(main + peak)
    assert float(goodness_of_fit(model, data).statistic) == pytest.approx(statistic, abs=1e-3)
