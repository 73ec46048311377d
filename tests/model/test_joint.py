"""Joint likelihoods: what is held stays held, whole-numbered places stay whole, batches and refusals."""

import copy
import pickle
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likelihoods import counting
from likelihoods_unbinned import Peak
from verax.errors import InputError
from verax.infer import fit, interval, sample_toys
from verax.model import AbstractLikelihood, Data, JointLikelihood, hold
from verax.parameters import Gaussian, Parameter


def test_a_parameter_that_is_held_stays_held():
    joint = JointLikelihood([Peak(), counting()])
    held = hold(joint, {"norm": 1.1})
    data = held.asimov({})
    best = fit(held, data)
    assert best.params["norm"] == 1.1
    assert best.nll == pytest.approx(fit(joint, data, fixed={"norm": 1.1}).nll, abs=1e-8)
    params = best.params
    assert held.freeze_profiled(params, data)[0].parameters == held.softened(10.0).parameters == held.parameters


class Categories(AbstractLikelihood):
    """Events of two kinds; the place of an event is the number of its kind."""

    parameters: tuple[Parameter, ...] = eqx.field(static=True, default=(Parameter("mu", "", 1.0, (0.0, 10.0)),))

    def log_observed(self, theta, data):
        expected = jnp.stack([20.0 * theta[0], 30.0 * jnp.ones_like(theta[0])])
        return data.counts @ jnp.log(expected[data.place]) - expected.sum()

    def asimov_observed(self, theta, profiled):
        return Data(jnp.stack([20.0 * theta[0], 30.0 * jnp.ones_like(theta[0])]), jnp.zeros(0), jnp.arange(2))

    def sample_observed(self, keys, theta, profiled):
        expected = self.asimov_observed(theta, profiled)
        return Data(jax.random.poisson(keys[0], expected.counts) * 1.0, jnp.zeros(0), expected.place)


def test_places_may_be_whole_numbers_and_shared():
    data = Data(np.ones(25), np.zeros(0), np.repeat([0, 1], [12, 13]))
    # Fits end within √2 · 10⁻⁴ σ of the minimum, σ = √n/20.
    assert fit(Categories(), data).params["mu"] == pytest.approx(0.6, abs=1.5e-4 * np.sqrt(12) / 20)
    drawn = sample_toys(jax.random.key(0), Categories(), {"mu": 1.0}, 70)
    assert drawn.place.shape == (2,)
    off = fit(Categories(), drawn).value[:, 0] - drawn.counts[:, 0] / 20
    assert (abs(off) < 1.5e-4 * np.sqrt(drawn.counts[:, 0]) / 20).all()


def test_copies_are_the_same_likelihood():
    joint = JointLikelihood([Peak(), counting()])
    data = joint.asimov({"mu": 1.2})
    expected = float(joint.log_prob({"mu": 1.0}, data))
    for other in (copy.deepcopy(joint), pickle.loads(pickle.dumps(joint))):
        assert float(other.log_prob({"mu": 1.0}, data)) == expected


def test_parts_that_do_not_fit_are_refused():
    wide = Peak(parameters=(Parameter("mu", "", 2.0, (0.0, 10.0)), *Peak().parameters[1:]))
    with pytest.raises(InputError, match="init 1 and 2; expected one of them; give both the same"):
        JointLikelihood([Peak(), wide])
    joint = JointLikelihood([Peak(), Peak()])
    data = Peak().asimov({})
    moved = eqx.tree_at(lambda d: d.auxiliary, data, np.array([0.5]))
    with pytest.raises(InputError, match="different global observables"):
        joint.join([data, moved])
    with pytest.raises(InputError, match=r"data, places: got \[3\]; expected 2, one for each observation"):
        fit(Peak(), Data(np.ones(2), np.zeros(1), np.array([0.5, 0.1, 0.2])))
    with pytest.raises(InputError, match="data of another likelihood"):
        fit(joint, data)


def moved(name, **changes):
    return tuple(replace(p, **changes) if p.name == name else p for p in Peak().parameters)


def test_a_common_parameter_stays_within_all_bounds():
    """Those of the first part were taken: the fit ended at 3 or at 1 by the order of the parts."""
    narrow = Peak(parameters=moved("mu", bounds=(0.5, 2.0)))
    for parts in ([Peak(), narrow], [narrow, Peak()]):
        joint = JointLikelihood(parts)
        assert joint.parameters[0].bounds == (0.5, 2.0)
        best = fit(joint, joint.join([p.asimov({"mu": 3.0}) for p in parts]))
        assert (best.params["mu"], best.status) == (2.0, 1)


def test_parameters_instead_of_theirs_are_the_same():
    mu, norm, shift = Peak().parameters
    with pytest.raises(InputError, match="parameters mu, norm; expected each of mu, norm, shift once"):
        JointLikelihood([Peak()], (mu, norm))
    with pytest.raises(InputError, match="expected each of mu, norm, shift once"):
        JointLikelihood([Peak()], (mu, norm, shift, mu))
    for other in (Gaussian(0.01), None):
        with pytest.raises(InputError, match="parameter 'shift': got constraint"):
            JointLikelihood([Peak()], (mu, norm, replace(shift, constraint=other)))
    with pytest.raises(InputError, match=r"got Gaussian\(width=1\.0\) and Gaussian\(width=2\.0\)"):
        JointLikelihood([Peak(), Peak(parameters=moved("shift", constraint=Gaussian(2.0)))])
    joint, data = JointLikelihood([Peak()], (shift, norm, mu)), Peak().asimov({"mu": 1.3})
    assert fit(joint, joint.join([data])).params["mu"] == pytest.approx(1.3, abs=1e-3)


def test_batches_with_own_and_with_shared_places_are_joined():
    """Their joint fits are those of their data sets, one by one: it crashed."""
    joint = JointLikelihood([Peak(), Categories()])
    own = sample_toys(jax.random.key(1), Peak(), {}, 3)
    shared = sample_toys(jax.random.key(2), Categories(), {}, 3)
    both = joint.join([own, shared])
    together, alone = fit(joint, both), [fit(joint, joint.join([own[i], shared[i]])) for i in range(3)]
    np.testing.assert_allclose(together.value, [f.value for f in alone], atol=1e-5)
    with pytest.raises(
        InputError, match="a batch of 3 and one data set; expected one data set of each part, or batches"
    ):
        joint.join([own, shared[0]])
    with pytest.raises(InputError, match="a batch of 3 and a batch of 2"):
        joint.join([own, shared[:2]])


def test_weights_of_events_are_refused_and_expectations_are_not():
    """Of events of weight w the errors are those of w times as many: intervals covered 45 % for 68 % at w = 4."""
    x = np.linspace(0.05, 0.95, 40)
    weighted = Data(np.full(40, 0.25), np.zeros(1), x)
    joint = JointLikelihood([Peak(), counting()])
    both = joint.join([weighted, counting().asimov({})])
    for model, data in ((Peak(), weighted), (joint, both), (Peak(), Data(-np.ones(40), np.zeros(1), x))):
        for verb in (fit, lambda *a: interval(*a, "mu")):
            with pytest.raises(
                InputError, match=r"multiplicities of events: got -?[01](\.25)?; expected 0, 1, 2, …; weighted"
            ):
                verb(model, data)
    expected = Data(weighted.counts, weighted.auxiliary, x, expected=True)
    assert np.isfinite(fit(Peak(), expected).nll)
    made = joint.join([Peak().asimov({"mu": 1.2}), counting().asimov({"mu": 1.2})])
    assert fit(joint, made).params["mu"] == pytest.approx(1.2, abs=1e-3)


def test_a_data_set_without_events_is_fitted():
    """−log L = 100 μ + 400 norm: both end at zero, whether multiplicities of 0 pad or there is nothing at all."""
    for n in (0, 3):
        best = fit(Peak(), Data(np.zeros(n), np.zeros(1), np.full(n, 0.5)))
        assert best.status == 1
        np.testing.assert_allclose(best.value, 0.0, atol=1e-9)
