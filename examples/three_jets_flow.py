"""A density learnt from events, against the exact one: flows on e⁺e⁻ → three jets, with their own uncertainty."""

from functools import partial

import jax
import numpy as np

from verax.aleatoric import FlowNLL, density, flow
from verax.epistemic import ensemble
from verax.events import make_events
from verax.learn import Training, cosine, member, predict
from verax.problems import ThreeJets

problem = ThreeJets(cut=0.05)
ends = (2 * problem.cut - 1e-6, 1 - problem.cut + 1e-6)  # of both energies, to float32's rounding


def sample(seed, n):
    x = np.asarray(problem.nominal(jax.random.key(seed), n).x)
    return make_events({"x1": x[:, 0], "x2": x[:, 1]})


events, test = sample(1, 20_000), sample(2, 50_000)
members = ensemble(
    jax.random.key(3),
    partial(flow, columns=("x1", "x2"), bounds={"x1": ends, "x2": ends}),
    FlowNLL(),
    events,
    members=4,
    training=Training(epochs=10, batch=250, optimizer=cosine(4e-3)),
).networks

exact = np.asarray(problem.log_density(test.x, {}))[0]
one = np.asarray(member(members, 0).log_prob(test.x))
predicted = predict(members, test, moments=density)
print(f"entropy {problem.entropy():.4f} nats; the same events under the exact density {-exact.mean():.4f},")
print(f"under one flow {-one.mean():.4f}, under the mean of four {-np.log(predicted.mean).mean():.4f}")

middle = ends[0] + (ends[1] - ends[0]) * (np.arange(500) + 0.5) / 500
square = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2).astype(np.float32)
total = np.exp(np.asarray(member(members, 0).log_prob(square))).sum() * ((ends[1] - ends[0]) / 500) ** 2
draws = member(members, 0).sample(jax.random.key(4), 10_000)
outside = np.isinf(np.asarray(problem.log_density(draws, {}))).mean()
print(f"its integral {total:.4f}; of its draws {outside:.2%} lie outside phase space")

pull = (predicted.mean - np.exp(exact)) / np.sqrt(predicted.epistemic)
print("gluon energy   density/exact   spread of members   pull (median, half of the central 68 %)")
gluon = 2 - np.asarray(test.x).sum(axis=1)
for low, high in zip((0.1, 0.3, 0.5, 0.7), (0.3, 0.5, 0.7, 0.9), strict=True):
    here = (gluon > low) & (gluon < high)
    ratio = np.median(predicted.mean[here] / np.exp(exact[here]))
    spread = np.median(np.sqrt(predicted.epistemic[here]) / predicted.mean[here])
    low_pull, middle_pull, high_pull = np.quantile(pull[here], (0.16, 0.5, 0.84))
    print(f"{low:.1f} – {high:.1f} {ratio:16.3f} {spread:18.1%} {middle_pull:16.2f}, {(high_pull - low_pull) / 2:.2f}")
