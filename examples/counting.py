"""From arrays to an uncertainty breakdown, without a file: a mass peak over a background with an uncertain scale."""

import jax
import numpy as np

from verax.check import coverage
from verax.events import make_events
from verax.infer import breakdown, interval, sample_toys
from verax.model import binned_likelihood
from verax.systematics import normalisation, scale_columns
from verax.templates import templates

rng = np.random.default_rng(1)
mass = np.concatenate([rng.normal(125, 4, 20_000), 100 + rng.exponential(40, 50_000)])
process = np.repeat([0, 1], [20_000, 50_000])
weight = np.where(process == 0, 150 / 20_000, 2000 / 50_000)
events = make_events({"mass": mass}, weight=weight, process=process, processes=("signal", "background"))

scale = scale_columns("energy_scale", 0.01, ["mass"], group="energy scale")
luminosity = normalisation("luminosity", 0.02, group="luminosity")


def summary(e):  # what is histogrammed, and in which channel
    return np.asarray(e.column("mass")), np.zeros(len(e), int)


filled = templates(summary, [events], [scale, luminosity], [np.linspace(100, 160, 13)])
model = binned_likelihood(filled, free={"mu": ["signal"], "norm_background": ["background"]})
print(interval(model, model.asimov({"mu": 1.0}), "mu"))
for row in breakdown(model, model.asimov({"mu": 1.0}), "mu").rows:
    print("  " * row.depth + f"{row.name}: {row.impact:.3f}")
print(coverage(interval(model, sample_toys(jax.random.key(2), model, {"mu": 1.0}, 1000), "mu"), 1.0))
