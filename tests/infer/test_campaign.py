import jax
import numpy as np
import pytest
from scipy.stats import norm

from likelihoods import counting, realistic
from verax.errors import InputError
from verax.infer import Estimate, campaign, fit, interval, sample_toys
from verax.results import Status

KEY = jax.random.key(30)


@pytest.mark.thorough
def test_neither_batches_nor_a_stop_change_the_answer():
    model, seen = realistic(), []
    whole = campaign(KEY, model, {"mu": 1.0}, 300, batch=300)
    parts = campaign(KEY, model, {"mu": 1.0}, 300, batch=128, progress=lambda c: seen.append((c.n, c.total, c.failed)))
    np.testing.assert_allclose(parts.values, whole.values, atol=1e-9)
    assert seen == [(128, 300, 0), (256, 300, 0), (300, 300, 0)]
    drawn = sample_toys(KEY, model, {"mu": 1.0}, 300)
    np.testing.assert_allclose(whole.values, fit(model, drawn).value, atol=1e-9)


def test_a_campaign_that_was_stopped_is_continued():
    model, kept = counting(), []

    def stop(so_far):
        kept.append(so_far)
        if so_far.n >= 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        campaign(KEY, model, {}, 500, batch=100, progress=stop)
    assert kept[-1].n == 200
    rest = campaign(KEY, model, {}, 500, batch=100, done=kept[-1])
    np.testing.assert_array_equal(rest.values, campaign(KEY, model, {}, 500, batch=100).values)
    assert campaign(KEY, model, {}, 150, done=rest).n == 150


def test_failures_are_counted_and_left_out():
    def half(model, data):
        n = len(data.counts)
        return data.counts[:, 0], np.where(np.arange(n) % 2, int(Status.MAX_STEPS), int(Status.OK))

    found = campaign(KEY, counting(), {}, 64, half, batch=32)
    assert found.failed == 32
    assert found.good.shape == (32,)
    np.testing.assert_array_equal(found.values, sample_toys(KEY, counting(), {}, 64).counts[:, 0])


def test_toys_at_fitted_gamma_scatter_around_it():
    model = counting(relative_error=0.05)
    drawn = sample_toys(KEY, model, {"mu": 1.0}, 4000, profiled=np.array([1.2]))
    assert drawn.counts.mean() == pytest.approx(144, abs=4 * 12 / np.sqrt(4000))
    assert drawn.auxiliary.mean() == pytest.approx(1.2, abs=4 * 0.05 / np.sqrt(4000))


@pytest.mark.thorough
def test_estimates_are_the_intervals_and_a_bound_is_an_end():
    """With the truth at the bound, an interval {t ≤ 1} covers unless the estimate is more than 1 σ above: Φ(1)."""
    model = counting(40.0, 4000.0, bounds=(0.0, 20.0))
    drawn = sample_toys(KEY, model, {"mu": 0.0}, 2000)
    values, status = Estimate("mu")(model, drawn)
    ends = interval(model, drawn, "mu")
    np.testing.assert_allclose(values[:, [0, 2, 3]], np.stack([ends.value, ends.low, ends.high], axis=1), atol=1e-9)
    assert (status[ends.status == Status.END_NOT_FOUND] == Status.AT_BOUND).all()
    assert (ends.status == Status.END_NOT_FOUND).mean() > 0.5
    found = campaign(KEY, model, {"mu": 0.0}, 2000, Estimate("mu"))
    assert found.failed == 0
    covered = (found.values[:, 2] <= 0.0).mean()
    assert covered == pytest.approx(norm.cdf(1.0), abs=4 * np.sqrt(0.16 * 0.84 / 2000) + 0.005)  # counts make steps


def test_bad_questions():
    with pytest.raises(InputError, match="did you mean 'mu'"):
        campaign(KEY, counting(), {"muu": 1.0}, 10)
    with pytest.raises(InputError, match="at least one"):
        campaign(KEY, counting(), {}, 0)
