import jax
import numpy as np
import pytest

from likelihoods import counting, realistic
from verax.errors import InputError
from verax.infer import campaign, fit, toys
from verax.results import Status

KEY = jax.random.key(30)


def test_neither_batches_nor_a_stop_change_the_answer():
    model, seen = realistic(), []
    whole = campaign(KEY, model, {"mu": 1.0}, 300, batch=300)
    parts = campaign(KEY, model, {"mu": 1.0}, 300, batch=128, progress=lambda c: seen.append((c.n, c.total, c.failed)))
    np.testing.assert_allclose(parts.values, whole.values, atol=1e-9)
    assert seen == [(128, 300, 0), (256, 300, 0), (300, 300, 0)]
    drawn = toys(KEY, model, {"mu": 1.0}, 300)
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
    np.testing.assert_array_equal(found.values, toys(KEY, counting(), {}, 64).counts[:, 0])


def test_toys_at_fitted_gamma_scatter_around_it():
    model = counting(relative_error=0.05)
    drawn = toys(KEY, model, {"mu": 1.0}, 4000, gamma=np.array([1.2]))
    assert drawn.counts.mean() == pytest.approx(144, abs=4 * 12 / np.sqrt(4000))
    assert drawn.auxiliary.mean() == pytest.approx(1.2, abs=4 * 0.05 / np.sqrt(4000))


def test_bad_questions():
    with pytest.raises(InputError, match="did you mean 'mu'"):
        campaign(KEY, counting(), {"muu": 1.0}, 10)
    with pytest.raises(InputError, match="at least one"):
        campaign(KEY, counting(), {}, 0)
