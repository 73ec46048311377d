"""What every head owes the law of total variance: with more events the epistemic part falls, the aleatoric one stays."""

from functools import partial

import jax
import numpy as np
import pytest
from noisy import SCALE, falling, gaussian_noise, make, sigma

from verax.aleatoric import (
    GaussianNLL,
    MixtureNLL,
    Pinball,
    QuantileMoments,
    gaussian,
    mean_variance,
    mixture,
    mixture_density,
    quantiles,
)
from verax.epistemic import ensemble
from verax.learn import Training, predict

LEVELS = (0.05, 0.16, 0.5, 0.84, 0.95)
FEW, MANY = 1_000, 16_000
HEADS = {
    "mean_variance": (mean_variance, GaussianNLL("y"), gaussian),
    "mixture_density": (partial(mixture_density, components=2), MixtureNLL("y"), mixture),
    "quantiles": (partial(quantiles, levels=LEVELS), Pinball("y", LEVELS), QuantileMoments(LEVELS)),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", HEADS)
def test_epistemic_falls_and_aleatoric_stays(name):
    head, loss, moments = HEADS[name]
    x = np.linspace(-0.9, 0.9, 40)
    found = []
    for n in (FEW, MANY):
        epochs = 160_000 // n  # equally many steps
        members = ensemble(
            jax.random.key(1),
            partial(head, features=("x",), target="y", make=make),
            loss,
            gaussian_noise(20, n),
            members=4,
            training=Training(epochs=epochs, batch=250, optimizer=falling(160_000 // 250, 2e-3)),
        ).networks
        found.append(predict(members, x[:, None], moments=moments))
    few, many = found
    # 16 times as many events: a variance 16 times smaller, of which the shuffling of batches keeps a little.
    assert many.epistemic.mean() < few.epistemic.mean() / 4
    # σ² of a head with few parameters, from N events: relative error √(2/N) each, some ten times that for a network.
    truth = (SCALE * sigma(x)) ** 2
    assert np.mean(few.aleatoric / truth) == pytest.approx(1, abs=0.25)
    assert np.mean(many.aleatoric / truth) == pytest.approx(1, abs=10 * np.sqrt(2 / MANY))
