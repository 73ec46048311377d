"""A classifier and INFERNO on a problem whose exact uncertainty is known: 50 signal events over 1000, a free shift r."""

from functools import partial

import jax
import numpy as np

from verax.approaches import approach
from verax.compare import Response
from verax.epistemic import ensemble
from verax.infer import expected_error
from verax.learn import Training, classifier
from verax.problems import Mixture

problem = Mixture(benchmark=1)
keys = jax.random.split(jax.random.key(2018), 3)
events, held_out, sample = (
    jax.tree.map(np.asarray, problem.sample(key, {}, n)) for key, n in zip(keys, (10_000, 5_000, 100_000), strict=True)
)
print(f"exact likelihood: {problem.uncertainty(problem.information({})):.1f} events")
for name in ("propagate", "inferno"):
    free = {"mu": problem.signal}
    chosen = approach(name, partial(classifier, width=32), events, problem.features, free, problem.systematics)
    trained = ensemble(
        jax.random.key(1),
        chosen.make,
        chosen.loss,
        events,
        members=1,
        bootstrap=False,
        validation=held_out,
        weigh=chosen.weigh,
        training=Training(epochs=15, batch=1000, optimizer=chosen.optimizer),
    )
    # Other events than those it learnt from, moved as a whole for each variation, fill the templates of a likelihood.
    edges = tuple(np.linspace(0, chosen.bins or 1, 11).tolist())
    response = Response(problem, chosen.finish(trained.networks, events), chosen.moments, edges, sample)
    print(f"{name}: {problem.poi_unit * float(expected_error(response.local({}), 'mu')):.1f} events")
