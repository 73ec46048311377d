"""Fits that break other programs: each ends at the minimum that Minuit finds (or a lower one), or says that it did not."""

import iminuit
import jax
import numpy as np
import pytest

from likelihoods import make_templates
from verax.infer import fit, interval, limit, profile, toys
from verax.infer.minimise import bounds
from verax.model import Data, binned_likelihood
from verax.parameters import nuisance
from verax.results import Status

X = np.linspace(0.1, 0.9, 4)
SIGNAL, BACKGROUND = 30 * np.exp(X), 200 * np.exp(-X)


def two_processes(*systematics, free=None, limits=None, signal=SIGNAL, background=BACKGROUND, variance=None):
    templates = make_templates([signal, background], systematics=systematics, variance=variance)
    return binned_likelihood(
        templates,
        free=free or {"mu": ("signal",), "norm": ("background",)},
        bounds=limits,
        simulation_statistics=variance is not None,
    )


def on_background(name, up, down):
    return (name, np.stack([SIGNAL, BACKGROUND * up]), np.stack([SIGNAL, BACKGROUND * down]))


def identical_nuisances():
    return two_processes(*[on_background(f"twin{k}", 1 + 0.1 * X, 1 - 0.1 * X) for k in range(4)])


def identical_factors():
    return two_processes(free={"mu": ("signal",), "one": ("background",), "two": ("background",)})


def nearly_identical_factors():
    templates = make_templates([SIGNAL, BACKGROUND, BACKGROUND * (1 + 1e-3 * X)])
    free = {"mu": ("signal",), "one": ("background",), "two": ("other",)}
    return binned_likelihood(templates, free=free, simulation_statistics=False)


def signal_like_background():
    return two_processes(signal=30 * np.exp(-X) * (1 + 1e-2 * X))


def nearly_empty_bins():
    return two_processes(
        on_background("shape", 1 + 0.2 * X, 1 - 0.2 * X),
        signal=np.array([5.0, 1.0, 1e-6, 0.0]),
        background=np.array([20.0, 0.5, 1e-7, 1e-5]),
        variance=[[0.1, 0.05, 1e-12, 0.0], [2.0, 0.2, 1e-14, 1e-10]],
    )


def at_its_bound():
    return two_processes(
        on_background("shape", 1 + 0.1 * X, 1 - 0.1 * X), limits={"mu": (0.0, 10.0), "shape": (-0.5, 0.5)}
    )


def weak_signal():
    """The signal's size may change its sign through the systematics: minima at either side."""
    signal = np.array([0.02, 0.05, 0.1, 0.2])
    both = (
        "signal_shape",
        np.stack([signal * (1 + 2.5 * (X - 0.5)), BACKGROUND]),
        np.stack([signal * (1 - 2.5 * (X - 0.5)), BACKGROUND]),
    )
    return two_processes(both, on_background("tilt", 1 + 0.3 * (X - 0.5), 1 - 0.3 * (X - 0.5)), signal=signal)


def one_sided():
    return two_processes(
        on_background("both_up", 1 + 0.15 * X, 1 + 0.1 * X), on_background("up", 1 + 0.1 * X, np.ones(4))
    )


def huge():
    tilt = (
        "tilt",
        np.stack([SIGNAL * 1e5, BACKGROUND * 1e7 * (1 + 0.1 * X)]),
        np.stack([SIGNAL * 1e5, BACKGROUND * 1e7 * (1 - 0.1 * X)]),
    )
    return two_processes(tilt, signal=SIGNAL * 1e5, background=BACKGROUND * 1e7)


def tiny():
    small = (SIGNAL * 1e-3, BACKGROUND * 1e-4)
    tilt = ("tilt", np.stack([small[0], small[1] * (1 + 0.1 * X)]), np.stack([small[0], small[1] * (1 - 0.1 * X)]))
    return two_processes(tilt, signal=small[0], background=small[1])


def negative_bins():
    background = np.array([100.0, 30.0, -4.0, 20.0])
    signal = np.array([10.0, 15.0, 8.0, -3.0])
    tilt = ("tilt", np.stack([signal, background * (1 + 0.2 * X)]), np.stack([signal, background * (1 - 0.2 * X)]))
    return two_processes(tilt, signal=signal, background=background, variance=[[1.0, 1, 1, 1], [9.0, 4, 4, 4]])


def enormous_variations():
    return two_processes(
        on_background("to_zero", 1 + 0.98 * X, 1 - 1.1 * X), on_background("tenfold", np.full(4, 10.0), np.full(4, 0.1))
    )


def many_parameters():
    """200 nuisances on three bins."""
    rng = np.random.default_rng(5)
    x = np.linspace(0, 1, 3)
    signal, background = 10 + 20 * x, 300 - 150 * x
    varied = []
    for k in range(198):
        slope = rng.normal(0, 0.03) + rng.normal(0, 0.03) * x
        up, down = 1 + slope, 1 - slope * rng.uniform(0.5, 1.0)
        varied.append(
            (nuisance(f"theta{k}", "all"), np.stack([signal, background * up]), np.stack([signal, background * down]))
        )
    return two_processes(*varied, signal=signal, background=background, variance=[[1.0, 1, 1], [20.0, 20, 20]])


CASES = [
    identical_nuisances,
    identical_factors,
    nearly_identical_factors,
    signal_like_background,
    nearly_empty_bins,
    at_its_bound,
    weak_signal,
    one_sided,
    huge,
    tiny,
    negative_bins,
    enormous_variations,
    many_parameters,
]


class Referee:
    """Minuit on the same function with its gradient, from several starting points; the lowest valid minimum."""

    def __init__(self, model):
        self.model, (self.lower, self.upper) = model, bounds(model)
        self.function = jax.jit(jax.value_and_grad(lambda theta, data: -model.log_density(theta, data)))

    def __call__(self, data, starts, fixed=None):
        def value(theta):
            with jax.enable_x64(True):
                return float(self.function(np.asarray(theta, np.float64), data)[0])

        def slope(theta):
            with jax.enable_x64(True):
                return np.asarray(self.function(np.asarray(theta, np.float64), data)[1])

        lowest = np.inf
        for start in starts:
            fitter = iminuit.Minuit(value, np.clip(start, self.lower, self.upper), grad=slope)
            fitter.errordef, fitter.tol, fitter.strategy = 0.5, 1e-3, 1
            fitter.limits = list(zip(self.lower, self.upper, strict=True))
            for k, at in (fixed or {}).items():
                fitter.values[k], fitter.fixed[k] = at, True
            fitter.migrad(ncall=20_000)
            if np.isfinite(fitter.fval):
                lowest = min(lowest, fitter.fval)
        return lowest


@pytest.mark.parametrize("case", CASES, ids=lambda f: f.__name__)
def test_the_minimum_is_minuits_or_lower(case):
    model, n = case(), 6
    drawn = toys(jax.random.key(17), model, {"mu": 1.0}, n)
    best = fit(model, drawn)
    referee = Referee(model)
    nominal = np.array([p.init for p in model.parameters])
    assert np.isfinite(best.nll).all()
    assert np.isin(best.status, [Status.OK, Status.AT_BOUND, Status.NOT_POSITIVE_DEFINITE]).sum() >= n - 1
    for i in range(n if len(nominal) < 100 else 2):
        aside = [nominal, np.where(np.array(model.names) == "mu", -8.0, nominal), best.value[i]]
        lowest = referee(Data(drawn.counts[i], drawn.auxiliary[i]), aside)
        if best.status[i] != Status.MAX_STEPS:
            # A weak signal has minima at both bounds that are lower by less than 0.1 σ; from one start not all are seen.
            assert best.nll[i] <= lowest + (0.05 if case is weak_signal else 1e-3)


def test_errors_are_those_of_the_exact_hessian_or_absent():
    """Where one direction is flat there is no covariance, and the status says so; nearly flat ones keep theirs."""
    model = identical_factors()
    drawn = toys(jax.random.key(18), model, {"mu": 1.0}, 20)
    best = fit(model, drawn)
    assert (best.status == Status.NOT_POSITIVE_DEFINITE).all()
    assert np.isnan(best.error).all()
    twins = fit(identical_nuisances(), identical_nuisances().asimov({"mu": 1.0}))
    assert twins.status == Status.OK
    error = twins.error[2:]
    np.testing.assert_allclose(error, error[0], rtol=1e-6)
    assert (twins.covariance[2, 3:6] < 0).all()


def test_minos_where_a_nuisance_meets_its_bound():
    """Minuit on the same function agrees at both ends, though one nuisance is pressed against its bound on the way."""
    model = at_its_bound()
    drawn = toys(jax.random.key(19), model, {"mu": 3.0}, 3)
    found = interval(model, drawn, "mu")
    referee = Referee(model)
    for i in range(3):
        data = Data(drawn.counts[i], drawn.auxiliary[i])
        best = fit(model, data)
        for end in (found.low[i], found.high[i]):
            rest = referee(data, [best.value], fixed={0: end})
            assert 2 * (rest - float(best.nll)) == pytest.approx(1.0, abs=0.01)


def test_another_minimum_is_found_when_a_start_is_given():
    model = weak_signal()
    drawn = toys(jax.random.key(17), model, {"mu": 1.0}, 6)
    data = Data(drawn.counts[3], drawn.auxiliary[3])
    here, there = fit(model, data), fit(model, data, init={"mu": -8.0})
    assert there.nll < here.nll - 0.01
    scan = profile(model, data, "mu", np.array([there.value[0], 3.0]))
    assert scan.t.min() >= 0  # a scan that meets the lower one starts again from there
    assert scan.t[0] < 1e-3


def test_a_limit_on_a_weak_signal_has_an_honest_status():
    model = weak_signal()
    found = limit(model, toys(jax.random.key(20), model, {"mu": 0.0}, 10), "mu")
    assert np.isfinite(found.observed).all()
    at_bound = found.observed >= 50
    assert (found.status[at_bound] == Status.END_NOT_FOUND).all()
