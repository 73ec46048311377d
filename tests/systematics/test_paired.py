"""Interpolation between up and down samples, event by event: exact where the effect is a line, a parabola or a power."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from verax.errors import InputError
from verax.events import Events, make_events
from verax.parameters import nuisance
from verax.systematics import Systematic, interpolable, interpolate, normalisation, pair, scale_columns, shift

PARAMETER = nuisance("jes", "detector")
INSIDE, BEYOND = (-0.7, 0.0, 0.4, 1.0), (-2.5, 1.8)


@dataclass(frozen=True)
class OnTheHost:
    """x + 2θ + 0.5θ², computed where JAX cannot look."""

    def __call__(self, events: Events, theta: object) -> Events:
        value = float(np.asarray(theta))
        return events.replace({"x": np.asarray(events.column("x")) + 2 * value + 0.5 * value**2})


CLOSED = Systematic(PARAMETER, OnTheHost(), traceable=False, changes=("x",), needs=("x",))


@pytest.fixture(scope="module")
def events() -> Events:
    return make_events(
        {"x": np.arange(1.0, 6.0), "y": np.full(5, 2.0)},
        weight=np.array([1.0, -1.5, 2.0, 0.0, 3.0]),
        process=np.array([0, 1, 1, 0, 1]),
        processes=("signal", "background"),
    )


def varied(events: Events, x: float = 0.0, weight: object = 1.0) -> Events:
    return events.replace({"x": events.column("x") + x}).reweight(jnp.asarray(weight, jnp.float32))


@pytest.mark.parametrize("theta", [*INSIDE, *BEYOND])
def test_a_line_is_exact_everywhere(events: Events, theta: float) -> None:
    scale = scale_columns("jes", 0.1, ["x"])
    table, found = pair(events, scale)
    moved = shift(table, [found], {"jes": theta})
    np.testing.assert_allclose(moved.column("x"), events.column("x") * (1 + 0.1 * theta), rtol=1e-5)
    np.testing.assert_array_equal(moved.column("y"), events.column("y"))
    np.testing.assert_array_equal(moved.weight, events.weight)
    assert found.changes == ("x",)


def test_a_parabola_is_exact_between_the_samples_and_goes_straight_on(events: Events) -> None:
    table, found = pair(events, CLOSED)
    for theta in INSIDE:
        change = shift(table, [found], {"jes": theta}).column("x") - events.column("x")
        np.testing.assert_allclose(change, 2 * theta + 0.5 * theta**2, atol=2e-6)
    for theta, straight in zip(BEYOND, (-1.5 - 1.5 * 1.0, 2.5 + 0.8 * 3.0), strict=True):
        change = shift(table, [found], {"jes": theta}).column("x") - events.column("x")
        np.testing.assert_allclose(change, straight, atol=2e-6)


def test_interpolation_can_be_traced_and_differentiated(events: Events) -> None:
    """d/dθ (2θ + 0.5θ²) = 2 + θ, one-valued at ±1 from both sides; an own θ for each event."""
    table, (found,) = interpolable(events, [CLOSED])
    assert found.traceable

    @jax.jit
    @jax.vmap
    def slope(theta: jax.Array) -> jax.Array:
        return jax.grad(lambda t: shift(table, [found], {"jes": t}).column("x")[1])(theta)

    theta = jnp.asarray([-1.001, -0.999, -0.5, 0.0, 0.999, 1.001], jnp.float32)
    np.testing.assert_allclose(slope(theta), [1.0, 1.001, 1.5, 2.0, 2.999, 3.0], atol=1e-5)
    each = jnp.linspace(-1, 1, 5)
    moved = shift(table, [found], {"jes": each}).column("x") - events.column("x")
    np.testing.assert_allclose(moved, 2 * each + 0.5 * each**2, atol=2e-6)


@pytest.mark.parametrize("theta", [*INSIDE, *BEYOND])
def test_a_log_normal_yield_is_exact_for_weights_of_both_signs(events: Events, theta: float) -> None:
    table, found = pair(events, normalisation("jes", 0.2, ("background",)))
    weight = events.weight * np.where(events.process == 1, 1.2**theta, 1.0)
    np.testing.assert_allclose(shift(table, [found], {"jes": theta}).weight, weight, rtol=1e-5)
    assert found.changes == ("weight",)


def test_one_sided_samples_are_mirrored(events: Events) -> None:
    table, found = interpolate(PARAMETER, events, varied(events, 0.5, 1.25), None)
    for theta in (*INSIDE, *BEYOND):
        moved = shift(table, [found], {"jes": theta})
        np.testing.assert_allclose(moved.column("x"), events.column("x") + 0.5 * theta, rtol=1e-5)
        np.testing.assert_allclose(moved.weight, events.weight * 1.25**theta, rtol=1e-5)


def test_a_weight_that_changes_sign_or_is_zero_has_no_factor(events: Events) -> None:
    up = varied(events, weight=[-1.0, 1.5, 1.0, 2.0, 1.0])
    table, found = interpolate(PARAMETER, events, up, None)
    np.testing.assert_allclose(shift(table, [found], {"jes": 1.0}).weight, [1.0, -2.25, 2.0, 0.0, 3.0], rtol=1e-6)


def test_a_value_that_is_missing_in_one_sample_is_not_interpolated(events: Events) -> None:
    """A jet that falls below threshold at θ = −1 has no momentum there, and none in between −999 and its own."""
    down = varied(events, -1.0).replace({"y": np.array([2.0, -999.0, 2.0, 1.0, 2.0])})
    table, found = interpolate(PARAMETER, events, varied(events, 1.0), down, missing=-999.0)
    moved = shift(table, [found], {"jes": -0.5})
    np.testing.assert_allclose(moved.column("x"), events.column("x") - 0.5, rtol=1e-6)
    np.testing.assert_allclose(moved.column("y"), [2.0, 2.0, 2.0, 2.0 - 0.375, 2.0], rtol=1e-6)


def test_several_interpolated_effects_add(events: Events) -> None:
    second = Systematic(nuisance("tes", "detector"), OnTheHost(), traceable=False, changes=("x",))
    table, found = interpolable(events, [CLOSED, normalisation("norm", 0.1), second])
    moved = jax.jit(lambda t: shift(table, found, {"jes": t, "tes": -t, "norm": t}))(1.0)
    np.testing.assert_allclose(moved.column("x"), events.column("x") + 2.5 - 1.5, rtol=1e-5)
    np.testing.assert_allclose(moved.weight, events.weight * 1.1, rtol=1e-6)
    assert moved.columns[:2] == events.columns


def test_samples_of_other_events(events: Events) -> None:
    renumbered = make_events(
        {"x": events.column("x"), "y": events.column("y")},
        weight=events.weight,
        process=events.process,
        number=np.asarray(events.number) + 1,
        processes=events.processes,
    )
    swapped = events.take(np.array([1, 0, 2, 3, 4]))
    for other in (events.take(np.arange(4)), renumbered, swapped):
        with pytest.raises(
            InputError, match=r"systematic 'jes': .*'up'.* not the 5 nominal ones.*interpolate templates"
        ):
            interpolate(PARAMETER, events, other, events)
        with pytest.raises(InputError, match="'down'"):
            interpolate(PARAMETER, events, events, other)
    with pytest.raises(InputError, match="column 'y'"):
        interpolate(PARAMETER, events, make_events({"x": events.column("x")}, **_rest(events)), None)


def _rest(events: Events) -> dict[str, object]:
    names = ("weight", "process", "number", "processes")
    return {name: getattr(events, name) for name in names}


def test_an_effect_that_cannot_be_traced_says_so_and_offers_interpolation(events: Events) -> None:
    with pytest.raises(InputError, match=r"systematic 'jes'.*cannot trace.*interpolate it between"):
        jax.jit(lambda t: shift(events, [CLOSED], {"jes": t}))(0.5)
