"""What ``shift`` does with any systematic, normalisations and users' functions."""

import pickle
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verax.errors import InputError
from verax.events import make_events
from verax.parameters import nuisance
from verax.systematics import StagedEffect, Systematic, normalisation, reweight, scale_columns, shift


@pytest.fixture
def events():
    return make_events(
        {"x": np.arange(1.0, 5.0), "y": np.full(4, 2.0)},
        weight=np.array([1.0, -1.0, 2.0, 3.0]),
        process=np.array([0, 1, 1, 2]),
        processes=("signal", "z", "w"),
    )


def test_normalisation_is_log_normal(events):
    both = normalisation("norm", 0.25, ("z", "w"))
    for theta in (-2.0, 1.0, 3.0):
        varied = shift(events, [both], {"norm": theta})
        np.testing.assert_allclose(varied.weight, events.weight * [1, *[1.25**theta] * 3], rtol=1e-6)
        np.testing.assert_array_equal(varied.x, events.x)
    everything = shift(events, [normalisation("norm", 0.25)], {"norm": 1.0})
    np.testing.assert_allclose(everything.weight, 1.25 * events.weight, rtol=1e-6)


def test_normalisation_of_an_unknown_process(events):
    with pytest.raises(InputError, match="process 'zz'"):
        shift(events, [normalisation("norm", 0.25, ("zz",))], {"norm": 1.0})


def test_user_weights(events):
    tilt = reweight("tilt", lambda e, theta: 1 + theta * e.column("x"), processes=("z",), needs=("x",))
    varied = shift(events, [tilt], {"tilt": 0.1})
    np.testing.assert_allclose(varied.weight, [1, -1.2, 2.6, 3], rtol=1e-6)
    assert jax.grad(lambda t: shift(events, [tilt], {"tilt": t}).weight.sum())(0.0) == pytest.approx(-2 + 6)


def test_scaled_columns(events):
    scale = scale_columns("scale", 0.1, ["x"], processes=("signal", "w"))
    np.testing.assert_allclose(shift(events, [scale], {"scale": 2.0}).column("x"), [1.2, 2, 3, 4.8], rtol=1e-6)
    assert scale.changes == ("x",)


def test_effects_follow_one_another(events):
    add = Systematic(nuisance("add", "g"), lambda e, t: e.replace({"x": e.column("x") + t}), changes=("x",))
    double = Systematic(nuisance("double", "g"), lambda e, t: e.replace({"x": e.column("x") * (1 + t)}))
    np.testing.assert_allclose(shift(events, [add, double], {"add": 1.0, "double": 1.0}).column("x"), [4, 6, 8, 10])
    np.testing.assert_allclose(shift(events, [double, add], {"add": 1.0, "double": 1.0}).column("x"), [3, 5, 7, 9])


@dataclass(frozen=True)
class Sum:
    """y ← x + 1, counting how often it is asked to."""

    calls: list

    def __call__(self, events):
        self.calls.append(1)
        return events.replace({"y": events.column("x") + 1})


@dataclass(frozen=True)
class Add(StagedEffect):
    calls: tuple | list

    @property
    def recompute(self):
        return Sum(self.calls)

    def move(self, events, theta):
        return events.replace({"x": events.column("x") + theta})


def test_shared_recomputation_is_done_once_but_before_another_effect_looks(events):
    calls: list = []
    a, b = (Systematic(nuisance(name, "g"), Add(calls)) for name in "ab")
    both = shift(events, [a, b], {"a": 1.0, "b": 2.0})
    np.testing.assert_allclose(both.column("y"), np.arange(1.0, 5.0) + 4)
    assert len(calls) == 1
    reader = reweight("r", lambda e, theta: e.column("y"))
    read = shift(events, [a, reader, b], {"a": 1.0, "r": 1.0, "b": 2.0})
    np.testing.assert_allclose(read.weight, events.weight * (np.arange(1.0, 5.0) + 2))
    np.testing.assert_allclose(read.column("y"), np.arange(1.0, 5.0) + 4)
    np.testing.assert_allclose(a(events, 1.0).column("y"), np.arange(1.0, 5.0) + 2)


def test_unknown_parameter_names_its_neighbour(events):
    with pytest.raises(InputError, match=r"shift: got parameter 'nrom'.*did you mean 'norm'"):
        shift(events, [normalisation("norm", 0.25)], {"nrom": 1.0})


def test_an_effect_that_cannot_be_traced_says_so_inside_grad(events):
    def sort(e, theta):
        return np.sort(np.asarray(e.column("x"))) * 0 + 1 + theta

    plain = reweight("plain", sort, traceable=False)
    np.testing.assert_allclose(shift(events, [plain], {"plain": 1.0}).weight, 2 * events.weight)
    with pytest.raises(
        InputError, match=r"systematic 'plain' in jit, grad or vmap: got an effect that JAX cannot trace.*interpolate"
    ):
        jax.grad(lambda t: shift(events, [plain], {"plain": t}).weight.sum())(1.0)
    with pytest.raises(InputError, match="systematic 'plain'"):
        jax.jit(lambda e: shift(e, [plain], {"plain": 1.0}))(events)


def test_an_effect_that_is_not_what_it_says_is_named(events):
    """It says that JAX can trace it (the default); without a trace it works."""
    wrong = Systematic(nuisance("wrong", "g"), lambda e, t: e.replace({"x": np.asarray(e.column("x")) + t}))
    np.testing.assert_allclose(shift(events, [wrong], {"wrong": 1.0}).column("x"), [2, 3, 4, 5])
    with pytest.raises(InputError, match=r"systematic 'wrong'.*cannot trace.*interpolate"):
        jax.jit(lambda e: shift(e, [wrong], {"wrong": 1.0}))(events)
    with pytest.raises(InputError, match=r"systematic 'wrong'.*cannot trace.*interpolate"):
        wrong.check_differentiable(events, "INFERNO")


def test_an_effect_in_steps_has_no_derivative(events):
    def steps(e, theta):
        return e.replace({"x": jnp.round(e.column("x") + theta)})

    with pytest.raises(InputError, match=r"systematic 'steps' in INFERNO.*derivative in θ is zero.*interpolate"):
        Systematic(nuisance("steps", "g"), steps).check_differentiable(events, "INFERNO")
    scale_columns("scale", 0.1, ["x"]).check_differentiable(events, "INFERNO")
    normalisation("none", 0.1, ("z",)).check_differentiable(
        events.take(np.array([0])), "INFERNO"
    )  # it moves none of these


@pytest.mark.parametrize("theta", [5.1, np.array([0.0, -5.1, 1.0, 2.0]), float("nan")])
def test_values_outside_the_bounds_are_refused(events, theta):
    norm = normalisation("norm", 0.25)
    seen = {True: "nan", False: "-?5.1"}[bool(np.isnan(theta).any())]
    for call in (lambda: shift(events, [norm], {"norm": theta}), lambda: norm(events, theta)):
        with pytest.raises(InputError, match=rf"parameter 'norm': got {seen}; expected a finite value in \[-5, 5\]"):
            call()
    shift(events, [norm], {"norm": jnp.float32(-5.0)})


def test_precision_of_the_events_is_kept(events):
    with jax.enable_x64(True):
        varied = shift(events, [normalisation("n", 0.1), scale_columns("s", 0.1, ["x"])], {"n": 0.5, "s": jnp.ones(())})
    assert (varied.x.dtype, varied.weight.dtype) == (np.float32, np.float32)


def test_systematics_travel_to_other_processes(events):
    norm = normalisation("norm", 0.25, ("z",))
    assert pickle.loads(pickle.dumps(norm)) == norm


@pytest.mark.parametrize("width", [0.0, -1.0, np.nan])
def test_a_prior_of_zero_width_is_refused(width):
    with pytest.raises(InputError, match=r"systematic 'norm': got prior width .*; expected a finite width above zero"):
        normalisation("norm", width)
    with pytest.raises(InputError, match="finite width"):
        scale_columns("s", width, ["x"])
