"""When a training ends: at a loss that no longer falls, in units that do not depend on the loss's own."""

import equinox as eqx
import jax
import numpy as np
import pytest
from gaussians import make, sample

from verax.events import Events
from verax.learn import CrossEntropy, Training, train
from verax.learn._pace import Pace, judge_stopped, units_of

ONE = lambda: 1.0  # noqa: E731
NOISE = np.random.default_rng(5).normal(size=2000)


def made(losses, *, schedule=True, most=None):
    """The pace after these losses, with the rates of all rounds."""
    pace, rates = Pace(100, most or len(losses), schedule, 0.1), []
    for loss in losses:
        rates.append(pace.rates())
        if pace.after(float(loss), ONE):
            break
    return pace, np.asarray(rates)


def test_a_loss_that_is_only_noise_ends_soon_and_the_rate_falls_as_long_as_it_stayed():
    pace, rates = made(5 + NOISE)
    stable = int((rates == 1).all(axis=1).sum())
    assert pace.settled
    assert pace.line == ""
    assert 30 <= stable < 60  # 3,000 steps at least; each look passes with five chances of six
    assert len(rates) == 2 * stable
    np.testing.assert_allclose(rates[stable:].ravel(), 1 - np.arange(100 * stable) / (100 * stable), atol=1e-6)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_loss_that_falls_goes_on_until_its_quarter_brings_nothing(noise):
    fall = 1e5 / np.arange(20.0, 2020.0) ** 2  # L(t/2) − L(t) is far above noise until t is some hundred
    pace, rates = made(fall + noise * NOISE)
    stable = int((rates == 1).all(axis=1).sum())
    assert pace.settled
    assert stable > 200
    assert len(rates) == 2 * stable


def test_steps_that_run_out_are_told_and_the_rate_falls_all_the_same():
    pace, rates = made(100.0 - np.arange(80.0))
    assert not pace.settled
    assert "still fell, by 8 units in the last 8 epochs" in pace.line
    assert (rates[:40] == 1).all()
    assert rates[-1][-1] == pytest.approx(1 / 4000)
    few, _ = made(np.ones(20))
    assert "too few to tell" in few.line


def test_an_optimizer_of_its_own_is_left_alone_and_judged_by_its_end():
    for losses, settled in ((100.0 - np.arange(80.0), False), (np.maximum(100.0 - 2 * np.arange(80.0), 0), True)):
        pace, rates = made(losses, schedule=False)
        assert rates.shape == (80, 100)
        assert (rates == 1).all()
        assert pace.settled == settled
        assert bool(pace.line) != settled


class Scaled(eqx.Module):
    """The same loss in another unit, with another zero."""

    scale: float = eqx.field(static=True)
    zero: float = eqx.field(static=True)

    def __call__(self, network, events, key):
        loss = CrossEntropy(("signal",))(network, events, key)
        return self.scale * loss + self.zero * jax.numpy.mean(events.weight)


def test_units_are_those_of_a_log_likelihood_whatever_the_loss_and_the_weights():
    events = sample(0, 400)
    network = make(jax.random.key(1), events)
    rows, key = np.arange(400), jax.random.key(2)
    plain = units_of(network, Scaled(1.0, 0.0), events, np.ones(400), rows, key)
    x = np.asarray(jax.vmap(network)(events.features(network.features)), np.float64)
    spread = np.std(np.logaddexp(0, x) - np.asarray(events.process) * x)
    assert plain == pytest.approx(400 / spread, rel=1e-4)
    assert units_of(network, Scaled(1e3, -7.0), events, np.ones(400), rows, key) == pytest.approx(plain / 1e3, rel=1e-3)
    assert units_of(network, Scaled(1.0, 0.0), events, np.full(400, 8.0), rows, key) == pytest.approx(plain / 8)
    half = np.repeat([1.0, 0.0], 200)  # half the events: a mean loss over all rows counts each of the others
    assert units_of(network, Scaled(1.0, 0.0), events, half, rows, key) == pytest.approx(plain)


def test_epochs_that_run_out_before_patience_are_told():
    falling, flat = np.linspace(2, 1, 20), np.r_[np.linspace(2, 1, 10), np.full(10, 1.001)]
    assert "still fell when 20 epochs were over" in judge_stopped(falling, 8, ONE, 0.1)
    assert judge_stopped(flat, 8, ONE, 0.1) == ""
    assert "1 epochs" in judge_stopped(falling[:1], 8, ONE, 0.1)


def test_short_passes_are_taken_together_where_nobody_says_how_many():
    events = sample(0, 64)
    weighted = Events(events.x, np.ones(64, "f4"), events.process, events.number, events.columns, events.processes)
    network, seen = make(jax.random.key(1), weighted), []
    options = Training(learning_rate=0.01, progress=lambda epoch, epochs, loss: seen.append((epoch, epochs)))
    found = train(jax.random.key(2), network, CrossEntropy(("signal",)), weighted, training=options).history
    assert found.stopped in ("settled", "epochs")
    assert (found.stopped == "settled") == (not found.unfinished)
    assert seen[-1] == (1000, 1000)  # of 50 steps
    assert len(found.train) >= 60
