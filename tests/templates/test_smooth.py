"""Smoothing: ROOT's numbers, kept yields, less distance to the truth, and steps that survive."""

import numpy as np
import pytest

from likelihoods import make_templates
from verax.errors import InputError
from verax.templates import smooth
from verax.templates._smooth import merged, smooth_353qh

N = 24
X = (np.arange(N) + 0.5) / N
NOMINAL = 400 * np.exp(-1.2 * X)
SLOPE = 1 + 0.06 * (X - 0.4)
STEP = np.where(X < 0.5, 1.0, 1.5)


def toys(truth, n, seed=1):
    """n toys of a nominal sample and an independent varied one, unit weights."""
    rng = np.random.default_rng(seed)
    nominal, varied = rng.poisson(NOMINAL, (n, N)).astype(float), rng.poisson(NOMINAL * truth, (n, N)).astype(float)
    return nominal, varied


def as_templates(nominal, up, bins=None, variance=None):
    down = 2 * nominal - up
    variance = nominal if variance is None else variance
    return make_templates(nominal, variance=variance, systematics=[("jes", up, down)], bins=bins)


@pytest.mark.parametrize(
    ("given", "root"),
    [
        ([1, 3, 2, 5], [1, 2, 3.25, 5]),
        ([1, 3, 2, 5, 11, 3, 8], [1.0, 2.125, 3.66666675, 5.08333349, 6.16666651, 7.375, 8.0]),
        (
            [0.16505027, 0.92460960, 0.04765633, 0.36997846, 0.37872216],
            [0.16505027, 0.21628231, 0.31874642, 0.36997846, 0.36997846],
        ),
        (
            [0.29093575, 0.93474650, 0.29723760, 0.61081952, -1.0],
            [0.29093575, 0.52901053, 0.47264278, -0.06587567, -1.0],
        ),
        ([1, 3], [1, 3]),
    ],
)
def test_353qh_is_roots(given, root):
    """Outputs of TH1::Smooth (float32), as cabinetry's tests quote them."""
    np.testing.assert_allclose(smooth_353qh(np.array(given, float)), root, rtol=2e-7, atol=2e-8)


def test_lines_and_steps_pass_the_filter():
    line = 1 + 0.1 * np.arange(9.0)
    np.testing.assert_allclose(smooth_353qh(line), line, rtol=1e-14)
    step = np.repeat([1.0, 2.0], 6)
    outside = np.r_[0:5, 7:12]
    np.testing.assert_allclose(smooth_353qh(step)[outside], step[outside], rtol=1e-14)


@pytest.mark.parametrize("method", ["353QH", "merge"])
@pytest.mark.parametrize(("truth", "factor"), [(np.ones(N), 0.7), (SLOPE, 0.75)])
def test_the_distance_to_the_true_ratio_falls(method, truth, factor):
    nominal, varied = toys(truth, 60)
    made, report = smooth(as_templates_of_toys(nominal, varied), ["jes"], method=method)
    before = np.sqrt(np.mean((varied / nominal - truth) ** 2))
    after = np.sqrt(np.mean((made.up[0].reshape(60, N) / nominal - truth) ** 2))
    assert after < factor * before, (before, after)
    assert {r.side for r in report} == {"up", "down"}


@pytest.mark.parametrize("method", ["353QH", "merge"])
def test_a_step_beyond_the_error_survives(method):
    """50 % over two halves, 7 % per bin: the filter keeps the plateaus, merging keeps the edge as well."""
    nominal, varied = toys(STEP, 60, seed=2)
    made, _ = smooth(as_templates_of_toys(nominal, varied), ["jes"], method=method)
    ratio = made.up[0].reshape(60, N) / nominal
    jump = ratio[:, 14:22].mean(axis=1) - ratio[:, 2:10].mean(axis=1)
    raw = (varied / nominal)[:, 14:22].mean(axis=1) - (varied / nominal)[:, 2:10].mean(axis=1)
    assert abs(np.mean(jump - raw)) < 0.02
    edge = (ratio[:, 12] - ratio[:, 11]).mean()
    assert edge > (0.4 if method == "merge" else 0.2)


def as_templates_of_toys(nominal, varied):
    """Each toy is a channel of one process."""
    return as_templates(nominal.reshape(1, -1), varied.reshape(1, -1), bins=(N,) * len(nominal))


@pytest.mark.parametrize("method", ["353QH", "merge"])
def test_yields_of_each_process_and_channel_are_kept(method):
    rng = np.random.default_rng(3)
    nominal = rng.uniform(5, 50, (2, 13))
    nominal[0, 4] = 0.0
    nominal[1, 9] = -1.0
    up = nominal * rng.uniform(0.8, 1.3, nominal.shape) + 0.1
    given = as_templates(nominal, up, bins=(7, 6), variance=abs(nominal) + 1)
    made, report = smooth(given, ["jes"], method=method)
    assert report
    for where in given.slices().values():
        for old, new in ((given.up, made.up), (given.down, made.down)):
            np.testing.assert_allclose(new[0, :, where].sum(1), old[0, :, where].sum(1), rtol=1e-12)
    assert made.up[0, 0, 4] == given.up[0, 0, 4]  # no nominal events: no ratio
    assert made.up[0, 1, 9] == given.up[0, 1, 9]
    np.testing.assert_array_equal(made.nominal, given.nominal)


def test_without_names_only_what_the_simulation_dominates_is_smoothed():
    nominal, varied = toys(np.ones(N), 1)
    clear = nominal * (1 + 0.8 * (X - 0.5))
    given = make_templates(
        nominal, variance=nominal, systematics=[("noise", varied, nominal), ("clear", clear, 2 * nominal - clear)]
    )
    made, report = smooth(given)
    assert {r.systematic for r in report} == {"noise"}
    assert {r.side for r in report} == {"up"}  # down is nominal
    np.testing.assert_array_equal(made.up[1], clear)
    _, precise = smooth(make_templates(nominal, variance=nominal * 1e-6, systematics=[("noise", varied, nominal)]))
    assert precise == ()


def test_the_same_events_have_smaller_errors():
    nominal, varied = toys(SLOPE, 1)
    _, own = smooth(as_templates(nominal, varied), ["jes"])
    _, same = smooth(as_templates(nominal, varied), ["jes"], independent=False)
    assert own[0].error / same[0].error == pytest.approx(np.sqrt(2), rel=0.02)


def test_merging_by_hand():
    """Errors 0.1: bins 0, 1 agree within two of √(0.1² + 0.1²) = 0.14; bin 2 is 9 errors away."""
    one, error = np.ones(3), np.full(3, 0.1)
    np.testing.assert_allclose(merged(np.array([1.0, 1.2, 2.2]), one, error, 2.0), [1.1, 1.1, 2.2])
    np.testing.assert_allclose(merged(np.array([1.0, 1.2, 2.2]), one, error, 1.0), [1.0, 1.2, 2.2])
    np.testing.assert_allclose(merged(np.array([1.0, 1.2, 2.2]), one, error, 99.0), [4.4 / 3] * 3)
    np.testing.assert_allclose(merged(np.array([1.0, 1.0]), one[:2], np.zeros(2), 2.0), [1.0, 1.0])


def test_what_is_unknown_or_too_short():
    short = as_templates(np.ones((1, 2)), np.array([[1.0, 1.1]]))
    assert smooth(short, ["jes"])[1] == ()
    with pytest.raises(InputError, match="did you mean 'jes'"):
        smooth(short, ["jess"])
    with pytest.raises(InputError, match="positive number of errors"):
        smooth(short, significance=0.0)
