"""How much of what the data know does a classifier keep? Exact limits of known-answer problems beside a network's."""

from functools import partial

import jax
import numpy as np

from verax.learn import CrossEntropy, Training, balance, classifier, train
from verax.problems import Mixture, OnOff, Rotating, ThreeJets

problem = Mixture()
events = problem.sample(jax.random.key(1), {}, 20_000)
weighted = events.reweight(balance(events, problem.signal) / np.asarray(events.weight))
network = classifier(jax.random.key(2), weighted, problem.features, width=32)
network = train(
    jax.random.key(3), network, CrossEntropy(problem.signal), weighted, training=Training(epochs=8, batch=512)
).network


@jax.jit
def score(x):  # probability of signal
    return jax.nn.sigmoid(jax.vmap(network)(x))


edges = np.linspace(0, 1, 11)
print("σ_s of the mixture:  all events  exact classifier  network, both in 10 bins")
for benchmark in range(3):
    problem = Mixture(benchmark)
    limits = [
        problem.uncertainty(problem.information()),
        problem.uncertainty(problem.counts_information(partial(problem.classifier_counts, edges))),
        problem.uncertainty(problem.summary_information(score, edges, resolution=1)),
    ]
    print(f"benchmark {benchmark} " + " ".join(f"{sigma:16.2f}" for sigma in limits))

rotating, jets = Rotating(), ThreeJets()
print(f"σ_μ of the rotating Gaussians: {rotating.uncertainty(rotating.information()):.4f}")
print(f"σ(α_s) of the three jets' rate: {jets.uncertainty(jets.information()):.4f}; entropy {jets.entropy():.3f} nats")
print(f"on/off, 100 and 70 events: {OnOff().neyman(100, 70, np.linspace(0, 4, 81))}")
