"""Networks that differ: bootstrap, means alone, test-time augmentation, variational, Laplace and HMC."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from verax.aleatoric import GaussianNLL, mean_variance
from verax.epistemic import MeanField, NegativeElbo, Posterior, Variational, hmc, laplace, mean_field, tta
from verax.learn import Training, classifier, member, stack, start_from
from verax.results import Status

from ._deep_ensemble import total_variance
from ._dropout import SquaredError, mean_network
from ._predictions import Fitted, Gaussian
from ._regression_data import TARGET
from ._regression_training import RESOLUTION, STOPPED, Task, first_problem, predicted


def bootstrap(key: PRNGKeyArray, task: Task) -> Fitted:
    """Mean-variance networks, each on a Poisson replica of the rows."""
    make, loss = task.network(mean_variance), GaussianNLL(TARGET)
    networks, problem = task.train(key, make, loss, members=task.effort.members, bootstrap=True)
    return [total_variance(networks, task.points.x)], problem


def mean_ensemble(key: PRNGKeyArray, task: Task) -> Fitted:
    """Networks of the mean alone, whose interval is their spread: an ensemble that knows of no noise."""
    make = partial(mean_network, features=task.data.features, width=task.effort.width, rate=0.0, decay=0.0)
    networks, problem = task.train(key, make, SquaredError(), members=task.effort.members)
    mean, _ = predicted(networks, task.points.x, lambda m: (m, jnp.zeros_like(m)))
    spread = np.maximum(mean.var(axis=1, ddof=1), 1e-300)
    return [Gaussian(mean.mean(axis=1), spread)], problem


def augmented(key: PRNGKeyArray, task: Task) -> Fitted:
    """A mean-variance network at draws of its inputs, each of a resolution of a twentieth of its spread."""
    widths = dict(zip(task.data.features, (RESOLUTION * task.data.x.std(axis=0)).tolist(), strict=True))
    return posterior(key, task, method=partial(tta, resolution=widths))


def posterior(key: PRNGKeyArray, task: Task, *, method: Callable[..., Posterior]) -> Fitted:
    """The members of an epistemic method around mean-variance networks, split by split."""
    cut, start = jax.random.split(key)
    make, table, drawn, problems = task.network(mean_variance), task.table, [], []
    for s, (learn, stop) in enumerate(zip(*task.cut(cut, 0.8), strict=True)):
        here, options = jax.random.fold_in(start, s), {"training": task.effort.training, "validation": table.take(stop)}
        found = method(here, make, GaussianNLL(TARGET), table.take(learn), **options)
        problems.append(found.problem)
        drawn.append(found.members(jax.random.fold_in(here, 1), task.effort.draws))
    return [total_variance(stack(drawn), task.points.x)], first_problem(problems, "splits")


def variational(key: PRNGKeyArray, task: Task) -> Fitted:
    """Independent Gaussians over the weights of a mean-variance network, prior N(0, 1); all rows."""
    start, draw = jax.random.split(key)
    rows, inner = task.points.train, task.network(mean_variance)

    def make(key: PRNGKeyArray, events: Any) -> MeanField:
        return mean_field(inner(key, events))

    loss = NegativeElbo(GaussianNLL(TARGET), rows.shape[1], np.ones((), np.float32))
    training = Training(task.effort.variational, task.effort.batch, learning_rate=1e-2).annealed()
    networks, problem = task.train(start, make, loss, rows, training=training)
    drawn = [
        Variational(member(member(networks, s), 0)).members(jax.random.fold_in(draw, s), task.effort.draws)
        for s in range(len(rows))
    ]
    return [total_variance(stack(drawn), task.points.x)], problem


def gaussians(key: PRNGKeyArray, task: Task) -> Fitted:
    """Gaussians over the last layer and over all weights of a mean-variance network.

    The last layer's is around the network where its training stopped, with the curvature of the rows that it learnt from:
    at the layer's own mode it would have unlearnt to stop. All weights' is where twenty steps towards the mode of all rows
    lead. Curvatures are Fisher's: away from the mode Gauss and Newton's of a Gaussian with free σ is not positive.
    """
    cut, start, draw = jax.random.split(key, 3)
    (learn, stop), loss = task.cut(cut, 0.8), GaussianNLL(TARGET)
    networks, problem = task.train(start, task.network(mean_variance), loss, learn, stop)
    predictions, problems, names = [], [], {"last": "last layer", "all": "all weights"}
    for which, rows, steps, accepted in (
        ("last", learn, 0, STOPPED),
        ("all", task.points.train, 20, (Status.OK,)),
    ):
        drawn = []
        for s in range(len(rows)):
            given, events = start_from(member(member(networks, s), 0)), task.table.take(rows[s])
            found = laplace(key, given, loss, events, training=None, which=which, curvature="fisher", steps=steps)
            problems.append("" if found.status in accepted else f"{names[which]}: {found.problem}")
            drawn.append(found.members(jax.random.fold_in(draw, s), task.effort.draws))
        predictions.append(total_variance(stack(drawn), task.points.x))
    return predictions, "; ".join(p for p in (problem, first_problem(problems, "Gaussians")) if p)


def chains(key: PRNGKeyArray, task: Task) -> Fitted:
    """Hamiltonian Monte Carlo over all weights of a small mean-variance network, prior N(0, 1); all rows."""
    drawn, problems, effort = [], [], task.effort
    small = partial(classifier, width=effort.units, depth=1)
    make = partial(mean_variance, features=task.data.features, target=TARGET, make=small)
    options: dict[str, Any] = {"chains": effort.chains, "warmup": effort.chain, "draws": effort.chain, "steps": 30}
    for s, rows in enumerate(task.points.train):
        found = hmc(jax.random.fold_in(key, s), make, GaussianNLL(TARGET), task.table.take(rows), **options)
        problems.append(found.problem)
        drawn.append(found.members(key, min(effort.draws, effort.chains * effort.chain)))
    return [total_variance(stack(drawn), task.points.x)], first_problem(problems, "splits")
