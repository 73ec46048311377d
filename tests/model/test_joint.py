"""Joint likelihoods: what is held stays held, whole-numbered places stay whole, batches and refusals."""

import copy
import pickle

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from likelihoods import counting
from likelihoods_unbinned import Peak
from verax.errors import InputError
from verax.infer import fit, sample_toys
from verax.model import AbstractLikelihood, Data, JointLikelihood, hold
from verax.parameters import Parameter


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
    with pytest.raises(InputError, match="parameter 'mu'"):
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
