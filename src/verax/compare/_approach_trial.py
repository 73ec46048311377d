"""Systematics-aware training judged by one figure of merit: the total uncertainty, its parts, and whether intervals cover.

Every approach learns from the same events, gives a summary, and is measured by the same likelihood on other events.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from verax.approaches import Approach, approach, at, draw
from verax.check import coverage
from verax.epistemic import ensemble
from verax.events import Events
from verax.infer import expected_error, interval
from verax.learn import Training, classifier
from verax.model import BinnedLikelihood, Data
from verax.parameters import Gaussian, Params
from verax.problems import AbstractProblem
from verax.results import Coverage, FloatArray, Interval
from verax.shift import auc

from ._approach_cases import Case
from ._comparison import Trial
from ._response import Response

LEVEL = 0.6827
"""Confidence level of the intervals."""


@dataclass(frozen=True)
class ApproachEffort:
    """How much work goes into a comparison; chosen on other seeds than those that are reported.

    Parameters
    ----------
    events, evaluation : simulated events of each process to learn from (a fifth more decides when to stop), and to
        fill histograms with
    keep : events that histograms are filled with after thinning, of all processes (0: all)
    width, depth, epochs, batch, rate, patience : of the training
    inferno : batch and rate of INFERNO, whose loss is that of a whole batch, where it needs others
    toys, experiments : pseudo-experiments at each truth, and at truths drawn from the priors
    """

    events: int = 50_000
    evaluation: int = 300_000
    keep: int = 0
    width: int = 64
    depth: int = 2
    epochs: int = 60
    batch: int = 2000
    rate: float = 1e-3
    patience: int = 15
    inferno: tuple[int, float] | None = None
    toys: int = 1000
    experiments: int = 100


@dataclass(frozen=True)
class Sensitivity:
    """What an approach with one seed is worth on one case; uncertainties are in the case's unit.

    Parameters
    ----------
    total : expected uncertainty at each truth, by label
    statistical : at nominal, all nuisance parameters known
    shares : at nominal, of each nuisance parameter: √(total² − that with it known)²
    coverage : of the 68.27 % interval at each truth
    random : the same at truths drawn from the priors, global observables at nominal
    random_truth : μ of each of these
    auc : area under the ROC curve at each truth, of the summary made for it; none for one that only sorts into bins
    histograms : of the summary at each truth, [process, bin] by label
    """

    total: Mapping[str, float]
    statistical: float
    shares: Mapping[str, float]
    coverage: Mapping[str, Coverage]
    random: Interval | None
    random_truth: FloatArray
    auc: Mapping[str, float]
    histograms: Mapping[str, FloatArray]


def measure_approach(key: PRNGKeyArray, case: Case, name: str, seed: int, effort: ApproachEffort) -> Trial[Sensitivity]:
    """Train one approach with one key, and measure what it is worth."""
    problem = case.problem
    learn_key, sample_key, start, toy_key = jax.random.split(key, 4)
    events, held_out = samples(learn_key, problem, (effort.events, effort.events // 5))
    sample = jax.tree.map(np.asarray, _nominal(case.simulated or problem, sample_key, effort.evaluation))
    free = {"mu": problem.signal}
    make = partial(classifier, width=effort.width, depth=effort.depth, missing=case.missing)
    chosen = approach(name, make, events, problem.features, free, problem.systematics, strength=case.strength)
    batch, rate = effort.inferno if chosen.bins and effort.inferno else (effort.batch, effort.rate)
    training = Training(effort.epochs, batch, effort.patience, rate, optimizer=chosen.optimizer)
    started = time.perf_counter()
    trained = ensemble(
        start,
        chosen.make,
        chosen.loss,
        events,
        training=training,
        members=1,
        bootstrap=False,
        validation=held_out,
        weigh=chosen.weigh,
    )
    seconds = time.perf_counter() - started
    response = _response(case, chosen, trained.networks, events, sample, {})
    if effort.keep:
        response = response.thinned(jax.random.fold_in(sample_key, 1), effort.keep)
    reads_theta = any(f.startswith("θ|") for f in getattr(trained.networks, "features", ()))

    def summary(params: Params) -> Response:
        return _response(case, chosen, trained.networks, events, response.sample, params) if reads_theta else response

    model = response.likelihood()
    nominal = response.local({}, case.steps) if case.steps else model
    values = {p.name: p.init for p in nominal.parameters[1:]}
    total = float(expected_error(nominal, "mu"))
    known = {n: float(expected_error(nominal, "mu", fixed={n: v})) for n, v in values.items()}
    if response.simulation:
        nominal = replace(nominal, width=np.zeros_like(nominal.width))
        known["simulation"] = float(expected_error(nominal, "mu"))
    random, truth = _random(jax.random.fold_in(toy_key, 1), case, response, model, effort.experiments)
    result = Sensitivity(
        {k: case.scale * expected(summary(v), v, case.steps) for k, v in case.truths.items()},
        case.scale * float(expected_error(nominal, "mu", fixed=values)),
        {n: case.scale * float(np.sqrt(max(total**2 - sigma**2, 0.0))) for n, sigma in known.items()},
        {
            k: covered(jax.random.fold_in(toy_key, 2 + i), response, model, v, effort.toys)
            for i, (k, v) in enumerate(case.truths.items())
        },
        random,
        truth,
        {} if chosen.bins else {k: area(summary(v), v) for k, v in case.truths.items()},
        {k: response(v) for k, v in case.truths.items()},
    )
    return Trial(case.name, name, seed, result, seconds, trained.problem)


def expected(response: Response, params: Params, step: float | None) -> float:
    """Expected σ_μ at ``params``: from slopes there, or without a ``step`` from the model that a measurement would use."""
    if step:
        return float(expected_error(response.local(params, step), "mu"))
    return float(expected_error(response.likelihood(), "mu", response.values(params)))


@eqx.filter_jit
def _nominal(problem: AbstractProblem, key: PRNGKeyArray, n: int) -> Events:
    return problem.nominal(key, n)


def samples(key: PRNGKeyArray, problem: AbstractProblem, sizes: Sequence[int]) -> list[Events]:
    """Independent samples at nominal, ``sizes`` events of each process, each with the yields of the problem.

    Cut out of a single one, so that the simulation is compiled for one number of events.
    """
    whole = jax.tree.map(np.asarray, problem.sample(key, {}, sum(sizes)))
    rows = [np.flatnonzero(whole.process == i) for i in range(len(whole.processes))]
    cut = zip(sizes, np.cumsum(sizes).tolist(), strict=True)
    parts = [whole.take(np.concatenate([r[end - n : end] for r in rows])).reweight(sum(sizes) / n) for n, end in cut]
    return [jax.tree.map(np.asarray, part) for part in parts]


def area(response: Response, params: Params) -> float:
    """Measure the area under the ROC curve of a score for events at ``params``; weights count as they are, ties half."""
    score, weight = response.scores(params)
    is_signal = np.asarray(response.sample.is_process(response.problem.signal))
    return auc(score, weight, is_signal)


def _response(case: Case, chosen: Approach, networks: Any, events: Events, sample: Events, params: Params) -> Response:
    """The summary, fixed at ``params`` where it is one of many."""
    parameters = {f.removeprefix("θ|") for f in getattr(networks, "features", ()) if f.startswith("θ|")}
    thetas = {name: float(value) for name, value in params.items() if name in parameters}
    finished = at(networks, thetas) if parameters else chosen.finish(networks, events)
    bins = chosen.bins or case.bins
    edges = np.linspace(0.0, float(chosen.bins or 1), bins + 1)
    return Response(
        case.problem,
        finished,
        chosen.moments,
        tuple(edges.tolist()),
        sample,
        reach=case.reach,
        simulation=case.simulated is not None,
    )


def covered(key: PRNGKeyArray, response: Response, model: BinnedLikelihood, params: Params, toys: int) -> Coverage:
    """Measure the coverage of the interval on μ where events come from the simulation at ``params``, not from templates.

    Counts fluctuate, and so do the global observables of constrained parameters.
    """
    counts = np.maximum(response(params).sum(axis=0), 0.0)
    count_key, prior_key, gamma_key = jax.random.split(key, 3)
    observed = np.asarray(jax.random.poisson(count_key, counts, (toys, len(counts))), np.float64)
    values = response.values(params)
    constrained = _constrained(model)
    centre = np.asarray([values[name] for name in constrained])
    noise = np.asarray(jax.random.normal(prior_key, (toys, len(centre))), np.float64)
    auxiliary = centre + np.asarray(list(constrained.values())) * noise
    data = _data(gamma_key, response, model, observed, auxiliary)
    return coverage(interval(model, data, "mu", level=LEVEL), float(params.get("mu", 1.0)))


def _constrained(model: BinnedLikelihood) -> dict[str, float]:
    """Names of the constrained parameters, and the widths of the constraints."""
    return {p.name: p.constraint.width for p in model.parameters if isinstance(p.constraint, Gaussian)}


def _data(
    key: PRNGKeyArray, response: Response, model: BinnedLikelihood, counts: FloatArray, auxiliary: FloatArray
) -> Data:
    """Data sets in the model's layout. Simulated events are drawn too: γ's global observables fluctuate about 1."""
    if model.simulation_statistics:
        noise = np.asarray(jax.random.normal(key, (len(counts), len(model.width))), np.float64)
        auxiliary = np.concatenate([auxiliary, 1 + model.width * noise], axis=1)
    return Data(response.observed(counts), auxiliary)


def _random(
    key: PRNGKeyArray, case: Case, response: Response, model: BinnedLikelihood, n: int
) -> tuple[Interval | None, FloatArray]:
    """Intervals of experiments whose μ ~ U(0.1, 3) and constrained parameters are drawn; global observables at nominal."""
    if n == 0:
        return None, np.zeros(0)
    mu_key, theta_key, count_key, gamma_key = jax.random.split(key, 4)
    mu = np.asarray(jax.random.uniform(mu_key, (n,), minval=0.1, maxval=3.0), np.float64)
    priors = [s.parameter for s in case.problem.systematics if isinstance(s.parameter.constraint, Gaussian)]
    drawn = case.draw(theta_key, n) if case.draw else draw(theta_key, priors, (n,))
    theta = {k: np.asarray(v, np.float64) for k, v in drawn.items()}
    counts = [
        response({"mu": m, **{k: float(v[i]) for k, v in theta.items()}}).sum(axis=0) for i, m in enumerate(mu.tolist())
    ]
    observed = np.asarray(jax.random.poisson(count_key, np.maximum(np.stack(counts), 0.0)), np.float64)
    data = _data(gamma_key, response, model, observed, np.zeros((n, len(_constrained(model)))))
    return interval(model, data, "mu", level=LEVEL), mu
