"""What is below its threshold goes, and the report says what and how large."""

import numpy as np
import pytest

from likelihoods import make_templates, realistic
from verax.errors import InputError
from verax.templates import Pruned, prune

NOMINAL = np.array([[10.0, 30.0, 20.0, 40.0], [100.0, 300.0, 200.0, 400.0]])


def tilted(scale, tilt):
    """``scale`` of the yield and a shape change of ±``tilt`` in the first channel of both processes: it keeps 40 events."""
    factor = np.array([1 + 3 * tilt, 1 - tilt, 1, 1])
    return NOMINAL * factor * np.array([scale, scale, 1, 1])


def templates(up, down):
    return make_templates(NOMINAL, systematics=[("jes", up, down)], bins=(2, 2))


def test_shape_and_normalisation_are_dropped_by_themselves():
    given = templates(tilted(1.002, 0.02), tilted(0.999, -0.02))
    made, report = prune(given, shape=0.0, normalisation=0.01)
    np.testing.assert_allclose(made.up[0], tilted(1, 0.02), rtol=1e-12)
    np.testing.assert_allclose(made.down[0], tilted(1, -0.02), rtol=1e-12)
    assert [(r.process, r.channel, r.effect) for r in report] == [
        ("signal", "channel0", "normalisation"),
        ("background", "channel0", "normalisation"),
    ]
    assert report[0].size == pytest.approx(0.002, rel=1e-9)

    made, report = prune(given, shape=0.07, normalisation=0.0)
    np.testing.assert_allclose(made.up[0], tilted(1.002, 0), rtol=1e-12)
    np.testing.assert_allclose(made.down[0], tilted(0.999, 0), rtol=1e-12)
    assert report[0] == Pruned("jes", "signal", "channel0", "shape", report[0].size)
    assert report[0].size == pytest.approx(0.06, rel=1e-9)


def test_each_process_and_channel_is_judged_alone():
    up = NOMINAL * np.array([[1.0001, 1.0001, 1.2, 1.2], [1, 1, 1.0002, 1.0002]])
    made, report = prune(templates(up, 2 * NOMINAL - up), shape=0.001, normalisation=0.001)
    expected = NOMINAL.copy()
    expected[0, 2:] *= 1.2
    np.testing.assert_allclose(made.up[0], expected, rtol=1e-12)
    assert {(r.process, r.channel): r.size for r in report} == {
        ("signal", "channel0"): pytest.approx(1e-4, rel=1e-6),
        ("background", "channel1"): pytest.approx(2e-4, rel=1e-6),
    }


def test_a_systematic_with_nothing_left_is_removed():
    given = templates(tilted(1.002, 0.001), tilted(0.999, -0.001))
    made, report = prune(given, shape=0.01, normalisation=0.01)
    assert made.systematics == ()
    assert made.up.shape == (0, 2, 4)
    assert report[-1] == Pruned("jes", "", "", "parameter", report[-1].size)
    assert report[-1].size == pytest.approx(0.003, rel=1e-9)


def test_zero_thresholds_keep_every_bit():
    given = templates(tilted(1.002, 0.02), tilted(0.999, -0.02))
    made, report = prune(given, shape=0.0, normalisation=0.0)
    assert report == ()
    np.testing.assert_array_equal(made.up, given.up)
    np.testing.assert_array_equal(made.down, given.down)


def test_events_from_nothing_are_never_negligible():
    nominal = np.array([[0.0, 10.0]])
    given = make_templates(nominal, systematics=[("jes", nominal + [[0.001, 0]], nominal)])
    made, report = prune(given, shape=0.5, normalisation=0.0)
    assert report == ()
    np.testing.assert_array_equal(made.up, given.up)


def test_the_likelihood_loses_what_was_pruned_and_nothing_else():
    """0.1 % of shape and yield of one of four systematics: the expectation at θ = ±1 moves by that at most."""
    model = realistic()
    names = [p.name for p in model.parameters]
    assert names[2:] == ["theta0", "theta1", "theta2", "theta3"]
    nominal = np.asarray(model.nominal)
    up = np.stack([model.expected_by_process({n: 1.0}) for n in names[2:]])
    down = np.stack([model.expected_by_process({n: -1.0}) for n in names[2:]])
    given = make_templates(nominal, systematics=list(zip(names[2:], up, down, strict=True)), bins=(4, 3))
    made, report = prune(given, shape=0.01, normalisation=0.01)
    assert report
    kept = [p.name for p in made.systematics]
    change = np.abs(made.up - given.up[[names.index(n) - 2 for n in kept]]) / nominal
    assert 0 < change.max() < 0.0202


@pytest.mark.parametrize(
    "thresholds",
    [
        {"shape": -0.1, "normalisation": 0.0},
        {"shape": 0.1, "normalisation": np.nan},
        {"shape": np.inf, "normalisation": 0.0},
    ],
)
def test_thresholds_are_relative_sizes(thresholds):
    with pytest.raises(InputError, match="a relative size"):
        prune(templates(NOMINAL, NOMINAL), **thresholds)
