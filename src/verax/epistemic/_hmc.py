"""Hamiltonian Monte Carlo over the weights of small networks: the posterior itself, at the price of many gradients.

The No-U-Turn sampler (Hoffman and Gelman, arXiv:1111.4246) with Stan's warm-up, both by blackjax (the extra ``mcmc``);
for Bayesian networks see Neal (1996) and Izmailov et al., arXiv:2104.14421. Every gradient uses all events, so this is
for up to some thousands of weights and some ten thousands of events.

A network has equal modes (hidden units permuted, signs swapped) that no chain need visit, so convergence is judged by
the network's *outputs*: those at reference points, and the log-density. The weights' own numbers are beside them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from verax.arrays import Array
from verax.errors import InputError, check_least
from verax.events import Events
from verax.learn import Loss, Make, Training, inputs, stack, start_from, train_made
from verax.results import Status
from verax.run import side_by_side

from ._diagnostics import effective_size, r_hat, tail_size
from ._posterior import Ensemble
from ._power_likelihood import double, negative_log_likelihood, observations, precision_of, single, temper, weights

PerQuantity: TypeAlias = Float[np.ndarray, " quantity"]
PerChain: TypeAlias = Float[np.ndarray, " chain"]

Quantities: TypeAlias = Callable[[Any], jax.Array]
"""What convergence is judged by: numbers of a network, as one vector."""

LIMIT = 1.1
"""R-hat above which chains do not agree."""

DIVERGENT = 0.01
"""Share of divergent draws above which the sampler has not been where the posterior is narrow."""

LEAST = 100
"""Effective draws, in the bulk and in the tails, below which a posterior is not known: its sd to 7 % at best."""


@dataclass(frozen=True)
class Chains(Ensemble):
    """Draws of networks from several chains, made by :func:`hmc`, chain after chain, and whether the chains agree.

    Its status is MAX_STEPS when an R-hat is above 1.1, a chain stands still, more than 1 % of the draws diverged, or an
    effective sample size is below 100; NOT_FINITE when a chain is not finite. Few divergences are a problem, not a status.

    Parameters
    ----------
    chains : number of chains
    draws : number of draws of each chain
    log_density : log posterior of each draw ``[chain, draw]``, up to a constant
    r_hat : R-hat of each output, and (last) of the log-density
    effective : effective sample size of the same in the bulk
    tail : effective sample size of the same for the 5 and 95 % quantiles
    weight_r_hat : R-hat of each weight; of equal modes these need not agree
    weight_effective : effective sample size of each weight
    acceptance : mean acceptance of each chain
    step : step size of each chain
    divergent : share of each chain's draws with a divergent trajectory
    """

    chains: int
    draws: int
    log_density: Float[np.ndarray, "chain draw"]
    r_hat: PerQuantity
    effective: PerQuantity
    tail: PerQuantity
    weight_r_hat: Float[np.ndarray, " weight"]
    weight_effective: Float[np.ndarray, " weight"]
    acceptance: PerChain
    step: PerChain
    divergent: PerChain

    @property
    def _as_trained(self) -> bool:
        return False


def hmc(
    key: PRNGKeyArray,
    make: Make,
    loss: Loss,
    events: Events,
    *,
    training: Training | None = None,
    validation: Events | None = None,
    precision: float | Array = 1.0,
    power: str = "effective",
    negative: str = "signed",
    chains: int = 4,
    warmup: int = 500,
    draws: int = 500,
    acceptance: float = 0.8,
    steps: int | None = None,
    doublings: int = 7,
    budget: float = 3e11,
    quantities: Quantities | None = None,
) -> Chains:
    """Draw networks from the posterior of their weights with several chains, in float64.

    Parameters
    ----------
    key : random key of starts and chains
    make : ``(key, events) → network``: where each chain starts; starts that differ widely are what R-hat needs
    loss : mean over rows of w·ℓ, with ℓ a negative log-likelihood (constants in ℓ do not matter); called with one key
    events : all events; their weights count as ``power`` says
    training : where given, each chain starts where this training of its network ends
    validation : events that decide when that training stops
    precision : τ of the prior N(0, 1/τ): one number, or one for each weight
    power : what the weights' sum counts as, see :func:`verax.epistemic.temper`
    negative : how negative weights count, see :func:`verax.epistemic.temper`
    chains : number of chains
    warmup : steps of each chain that adapt the step size and a diagonal metric
    draws : steps of each chain that are kept, at least 4
    acceptance : mean acceptance that the step size is adapted to; raise it where trajectories diverge
    steps : leapfrog steps of plain HMC; by default the No-U-Turn sampler chooses
    doublings : how often that sampler doubles a trajectory at most; 7 are 127 leapfrog steps
    budget : what the chains may cost, in steps of all chains × leapfrog steps × events × weights, of which a core does some
        10⁹ in a second
    quantities : what convergence is judged by; by default the outputs at 64 rows of the events, or their loss when the
        network is no function of one row

    Raises
    ------
    InputError : for bad options or weights, chains that may cost more than ``budget``, or without blackjax

    >>> from verax.events import make_events
    >>> from verax.learn import CrossEntropy
    >>> x = np.linspace(-1, 1, 64)
    >>> table = make_events({"x": x}, process=(x > 0).astype(int), processes=("b", "s"))
    >>> make = lambda key, events: eqx.nn.Linear(1, "scalar", key=key)  # logistic regression
    >>> few = {"chains": 2, "warmup": 20, "draws": 20, "steps": 4}
    >>> found = hmc(jax.random.key(1), make, CrossEntropy(("s",)), table, **few)
    >>> found.log_density.shape, found.status.name  # fewer than 100 effective draws
    ((2, 20), 'MAX_STEPS')
    """
    counts = {
        "chains": chains,
        "warm-up": warmup,
        "doublings": doublings,
        "leapfrog steps": 1 if steps is None else steps,
    }
    for name, value in counts.items():
        check_least(value, 1, name)
    check_least(draws, 4, "draws")
    if not 0 < acceptance < 1:
        raise InputError("acceptance", f"{acceptance:g}", "a probability between 0 and 1")
    _sampler()
    start_key, run_key = jax.random.split(key)
    table = temper(events, power=power, negative=negative)
    made = [make(jax.random.fold_in(start_key, chain), events) for chain in range(chains)]
    size = weights(made[0]).vector.size
    leaps = chains * (warmup + draws) * (2**doublings - 1 if steps is None else steps)
    if (cost := leaps * len(events) * size) > budget:
        seen = f"up to {leaps:.2g} leapfrog steps × {len(events)} events × {size} weights = {cost:.2g}"
        most = max(int(budget / (leaps * size)), 1)
        action = f"take at most {most} events, fewer draws or doublings, or a smaller network; or raise budget"
        raise InputError("hmc", seen, f"at most {budget:.2g}, five minutes of a core or so", action)
    trained = []
    for chain, network in enumerate(made):
        train_key = jax.random.fold_in(start_key, chains + chain)
        trained.append(train_made(train_key, start_from(network), loss, events, training, validation))
    starts = stack([each.network for each in trained])
    tau = precision_of(precision, size)
    with jax.enable_x64(True):
        target = _Target(loss, double(table), jnp.asarray(tau), jax.random.fold_in(run_key, chains))
        measure = quantities or _Outputs(loss, _reference(target.events))
        keys = jax.vmap(lambda chain: jax.random.fold_in(run_key, chain))(jnp.arange(chains))
        options = {"steps": steps, "doublings": doublings}
        found = _run_all(keys, double(starts), target, measure, warmup, draws, acceptance, options)
        networks, measured, vectors, density, accepted, step, divergent = found
        networks = jax.tree.map(lambda a: a.reshape(chains * draws, *a.shape[2:]) if eqx.is_array(a) else a, networks)
        measured, vectors, density = (np.asarray(a, np.float64) for a in (measured, vectors, density))
        accepted, step, divergent = (np.asarray(a, np.float64) for a in (accepted, step, divergent))
    judged = np.concatenate([measured, density[..., None]], axis=2)
    hat, bulk, tail = r_hat(judged), effective_size(judged), tail_size(judged)
    status, problem = _judge(judged, hat, density)
    if status == Status.OK:
        status, problem = _judge_draws(bulk, tail, divergent, chains * draws)
    of_chains = single(networks), chains, draws, density, hat, bulk, tail, r_hat(vectors), effective_size(vectors)
    common: dict[str, Any] = {"histories": sum((each.histories for each in trained), ())}
    common |= {"status": status, "problem": problem, "observations": observations(table)}
    return Chains(*of_chains, accepted, step, divergent, **common)


class _Target(eqx.Module):
    """Log posterior density of a network's weights."""

    loss: Loss
    events: Events
    precision: jax.Array
    key: PRNGKeyArray

    def __call__(self, network: Any, vector: jax.Array) -> jax.Array:
        # ln p(w | events) = −c Σ_i w_i ℓ_i(w) − ½ τ |w|² + const.
        prior = 0.5 * jnp.sum(self.precision * vector**2)
        return -negative_log_likelihood(network, self.loss, self.events, self.key) - prior


class _Outputs(eqx.Module):
    """A network at reference rows: its outputs, or the rows' losses when it is not called on a row."""

    loss: Loss
    rows: Events

    def __call__(self, network: Any) -> jax.Array:
        if callable(network):
            measured = jax.vmap(network)(jnp.asarray(inputs(network, self.rows)))
            return jnp.concatenate([jnp.ravel(a) for a in jax.tree.leaves(measured)])

        def one(row: Events) -> jax.Array:
            return self.loss(network, jax.tree.map(lambda a: a[None], row), jax.random.key(0))

        return jax.vmap(one)(self.rows)


def _reference(events: Events) -> Events:
    """At most 64 rows, evenly spaced, with unit weights."""
    n = len(events)
    rows = jax.tree.map(jnp.asarray, events.take(np.unique(np.linspace(0, n - 1, min(n, 64)).astype(np.int64))))
    return Events(rows.x, jnp.ones_like(rows.weight), rows.process, rows.number, rows.columns, rows.processes)


def _run_all(keys: Any, starts: Any, *of_all: Any) -> Any:
    """All chains at once, or on a CPU one on each core: vectorised ones advance at the pace of the longest trajectory."""
    program: Any = eqx.filter_jit(_run)
    if jax.default_backend() != "cpu":
        return program(keys, starts, *of_all)
    each = [
        jax.tree.map(lambda a, i=i: a[i : i + 1] if eqx.is_array(a) else a, (keys, starts)) for i in range(len(keys))
    ]
    compiled = program.lower(*each[0], *of_all).compile()

    def one(given: Any) -> Any:
        with jax.enable_x64(True):  # which a thread does not inherit
            return compiled(*given, *of_all)

    with side_by_side() as threads:
        found = list(threads.map(one, each))
    return jax.tree.map(lambda *a: jnp.concatenate(a) if eqx.is_array(a[0]) else a[0], *found)


def _run(
    keys: Any, starts: Any, target: _Target, measure: Any, warmup: int, draws: int, acceptance: float, options: Any
) -> Any:
    """All chains: networks, their quantities, vectors, log-densities [chain, draw, …]; then acceptance, step, divergent."""
    blackjax = _sampler()
    arrays, static = eqx.partition(starts, eqx.is_array)

    def chain(start: tuple[Any, Any]) -> Any:
        key, first = start
        held = weights(eqx.combine(first, static))

        def density(vector: jax.Array) -> jax.Array:
            return target(held.network(vector), vector)

        nuts = options["steps"] is None
        kind = blackjax.nuts if nuts else blackjax.hmc
        length = {"max_num_doublings": options["doublings"]} if nuts else {"num_integration_steps": options["steps"]}
        quiet = blackjax.adaptation.base.get_filter_adapt_info_fn()
        adapt = blackjax.window_adaptation(
            kind, density, target_acceptance_rate=acceptance, adaptation_info_fn=quiet, **length
        )
        # Stan's windows: dual averaging of the step size ε (arXiv:1111.4246, section 3.2), and a diagonal metric.
        adapt_key, draw_key = jax.random.split(key)
        (state, found), _ = adapt.run(adapt_key, held.vector, warmup)
        kernel = kind(density, **{**found, **length})

        def one(state: Any, key: PRNGKeyArray) -> Any:
            state, info = kernel.step(key, state)
            network = held.network(state.position)
            kept = (eqx.filter(network, eqx.is_array), measure(network), state.position, state.logdensity)
            return state, (*kept, info.acceptance_rate, info.is_divergent)

        _, out = jax.lax.scan(one, state, jax.random.split(draw_key, draws))
        *kept, accepted, divergent = out
        return (*kept, jnp.mean(accepted), found["step_size"], jnp.mean(divergent.astype(accepted.dtype)))

    networks, *rest = jax.vmap(chain)((keys, arrays))
    return eqx.combine(networks, static), *rest


def _judge(
    judged: Float[np.ndarray, "chain draw quantity"], hat: PerQuantity, density: Float[np.ndarray, "chain draw"]
) -> tuple[Status, str]:
    bad = np.flatnonzero(~np.isfinite(density).all(axis=1))
    if len(bad) or not np.isfinite(judged).all():
        which = ", ".join(str(c) for c in bad) or "some"
        return Status.NOT_FINITE, f"chains with values that are not finite: {which}; check features, weights and starts"
    stuck = [c for c in range(len(density)) if np.ptp(density[c]) == 0]
    if stuck:
        return Status.MAX_STEPS, f"chains that stand still: {', '.join(map(str, stuck))}; use a longer warm-up"
    worst = float(np.nanmax(hat)) if np.isfinite(hat).any() else math.inf
    if worst > LIMIT or np.isinf(hat).any():
        n = int((hat > LIMIT).sum())
        line = f"chains disagree: R-hat {worst:.2f} (limit {LIMIT}) in {n} of {hat.size} quantities"
        return Status.MAX_STEPS, f"{line}; use longer chains, or report the modes apart"
    return Status.OK, ""


def _judge_draws(bulk: PerQuantity, tail: PerQuantity, divergent: PerChain, draws: int) -> tuple[Status, str]:
    share = float(divergent.mean())
    line = f"{round(share * draws)} of {draws} draws diverged: nothing is known of where the posterior is narrow"
    if share > DIVERGENT:
        return Status.MAX_STEPS, f"{line}; raise acceptance, or change the parameters"
    for sizes, what in ((bulk, "draws"), (tail, "draws in the tails")):
        few = sizes < LEAST  # NaN, of a constant, is not
        if few.any():
            seen = f"{np.nanmin(sizes):.0f} effective {what} of {draws} (at least {LEAST}) in the worst of {sizes.size}"
            return Status.MAX_STEPS, f"{seen} quantities; use longer chains"
    return Status.OK, f"{line}; raise acceptance" if share else ""


def _sampler() -> Any:
    """blackjax, where it is installed."""
    try:
        import blackjax
    except ModuleNotFoundError as error:
        raise InputError("hmc", "no package 'blackjax'", "it installed", "pip install blackjax") from error
    return blackjax
