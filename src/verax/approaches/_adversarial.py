"""Domain adaptation by an adversary: a network whose output does not tell θ (Louppe, Kagan, Cranmer, arXiv:1611.01046).

Beside the network an adversary learns the density of the nuisance parameters given the network's output; the network
is trained on its own loss minus a strength times the adversary's. Where the adversary cannot beat the prior, its loss
is the prior's entropy, and the output's distribution is the same for all θ (proposition 1 there).

A minimax has no smallest loss, so that no epoch is the best: all epochs are run and the last network is kept, with
learning rates that fall to zero (:func:`minimax`). The adversary of the training flatters: it has learned from a
network that moved. :mod:`verax.approaches` asks a new one.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, PRNGKeyArray

from verax.errors import InputError
from verax.events import Events
from verax.learn import Around, Loss, Make, inputs, linear_layers
from verax.parameters import Gaussian, Parameter
from verax.systematics import Systematic, shift

from ._augment import draw

PRIOR_SHARE = 1e-3
"""Share of the prior in an adversary's density."""

NARROWEST = -7.0
"""Logarithm of the width, in prior widths, that a Gaussian of an adversary cannot fall below: powers of an unbounded one are
not finite for events far out."""


class Adversary(eqx.Module):
    """Density of the parameters given a network's output: a mixture density network with Gaussians diagonal in them.

    Made by :func:`with_adversary`, beside the network. Its units are SiLU, not the paper's ReLU: those can all die in a
    fast step, and the network then has no adversary (at strength 50 in 2 of 14 trainings, against none).

    A share of 10⁻³ of the prior belongs to the mixture. The log density then has a lower bound, so that no event in the
    tails makes the loss large; it costs an adversary 0.001 at most.

    Parameters
    ----------
    layers : the trainable part, with SiLU between layers
    parameters : those whose density it is
    components : number of Gaussians
    """

    layers: tuple[eqx.nn.Linear, ...]
    parameters: tuple[Parameter, ...] = eqx.field(static=True)
    components: int = eqx.field(static=True)

    def log_density(self, logit: Float[jax.Array, ""], theta: Float[jax.Array, " parameter"]) -> Float[jax.Array, ""]:
        """Evaluate the log density of parameters for events with this output.

        Parameters
        ----------
        logit : output of the network
        theta : values of the parameters, in their units
        """
        # Probability and logit: one resolves the middle, the other the tails.
        hidden = jnp.stack([jnp.tanh(logit / 2), logit / 4])
        for layer in self.layers[:-1]:
            hidden = jax.nn.silu(layer(hidden))
        outputs = self.layers[-1](hidden).reshape(self.components, -1)
        share, centre, log_width = jnp.split(outputs, [1, 1 + len(self.parameters)], axis=1)
        log_width = NARROWEST + jax.nn.softplus(log_width - NARROWEST)
        middle, width = (jnp.asarray(a, jnp.float32) for a in prior(self.parameters))
        # p(θ|z) = (1 − ε) Σ_k share_k N(pull; centre_k, width_k) + ε N(pull; 0, 1), and the Jacobian of pull = (θ − θ₀)/σ₀
        pull = (theta - middle) / width
        each = jnp.sum(_log_normal((pull - centre) * jnp.exp(-log_width)) - log_width, axis=1)
        mixture = jax.nn.logsumexp(jax.nn.log_softmax(share[:, 0]) + each)
        parts = mixture + np.log1p(-PRIOR_SHARE), jnp.sum(_log_normal(pull)) + np.log(PRIOR_SHARE)
        return jnp.logaddexp(*parts) - jnp.sum(jnp.log(width))


class Adversarial(Around):
    """A network and its adversary, made by :func:`with_adversary`; as a function it is the network alone.

    Parameters
    ----------
    network : any network of one logit
    adversary : density of the parameters given that logit
    """

    network: Any
    adversary: Adversary

    def __call__(self, x: Float[jax.Array, " feature"]) -> jax.Array:
        return jnp.asarray(self.network(x))


class AdversarialLoss(eqx.Module):
    """``loss`` of the network on events at θ drawn anew in each step, plus the adversary's on the same events.

    Made by :func:`adversarial`. Where the second part enters the network its gradient is reversed, times ``strength``
    (Ganin and Lempitsky, arXiv:1409.7495): one descent then finds the saddle point. The value is the sum of both
    losses, which is not what anyone makes small.

    Parameters
    ----------
    loss : of the network, ``(network, batch of events, key) → scalar``
    systematics : those whose parameters are drawn
    strength : what a nat of information on θ costs, in units of ``loss``
    processes : the events that the adversary sees; () for all
    """

    loss: Loss
    systematics: tuple[Systematic, ...]
    strength: Float[jax.Array, ""]
    processes: tuple[str, ...] = eqx.field(static=True, default=())

    comparable: ClassVar[bool] = False

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        _check_pair(network, self.systematics)
        first, second = jax.random.split(key)
        moved, theta = drawn(first, events, self.systematics)
        own = self.loss(network.network, moved, second)
        logit = _reversed(logits(network, moved), self.strength)
        return own + adversary_loss(network.adversary, logit, theta, moved, self.processes)


def adversarial(
    loss: Loss, systematics: Sequence[Systematic], *, strength: float = 20.0, processes: Sequence[str] = ()
) -> AdversarialLoss:
    """Add an adversary's loss to ``loss``, for networks of :func:`with_adversary`.

    Train them with ``Training(optimizer=minimax())``. Weights enter both losses as they are, signed: that leaves both
    unbiased. Where weights of a region of the output and θ sum to less than zero, the adversary gains by denying it; the
    prior's share bounds that gain.

    A systematic that changes the yields of some processes changes the distribution of any network that tells these
    processes apart: an adversary then works against separation itself. Leave such effects to the fit.

    Parameters
    ----------
    loss : of the network, ``(network, batch of events, key) → scalar``
    systematics : those whose parameters the adversary guesses
    strength : what a nat of information on θ costs, in units of ``loss``; 0 is augmentation
    processes : the events that the adversary sees; () for all

    Raises
    ------
    InputError : without systematics, for one that JAX cannot trace (it is named), or for a strength below zero

    >>> from verax.learn import CrossEntropy
    >>> from verax.systematics import scale_columns
    >>> float(adversarial(CrossEntropy(("signal",)), [scale_columns("scale", 0.1, ("x",))], strength=5.0).strength)
    5.0
    """
    if not systematics:
        raise InputError("adversary", "no systematics", "at least one", "train without an adversary")
    for systematic in systematics:
        systematic.check_traceable("an adversarial loss")
    if not (np.isfinite(strength) and strength >= 0):
        raise InputError("adversary's strength", f"{strength:g}", "a finite value, zero or above")
    return AdversarialLoss(loss, tuple(systematics), jnp.asarray(strength, jnp.float32), tuple(processes))


def with_adversary(
    make: Make, systematics: Sequence[Systematic], *, components: int = 5, width: int = 20, depth: int = 2
) -> Make:
    """Put an adversary beside the network of one logit that ``make(key, events)`` makes.

    The network starts as it does alone with the same key.

    Parameters
    ----------
    make : ``(key, training events) → network``
    systematics : those whose parameters the adversary guesses
    components : number of Gaussians of the adversary (default: the paper's)
    width : units of its hidden layers (default: the paper's)
    depth : number of its hidden layers (default: the paper's)

    >>> from functools import partial
    >>> from verax.events import make_events
    >>> from verax.learn import classifier
    >>> from verax.systematics import scale_columns
    >>> make = partial(classifier, features=("x",), width=8, depth=1)
    >>> pair = with_adversary(make, [scale_columns("scale", 0.1, ("x",))], components=1, width=8, depth=1)
    >>> pair(jax.random.key(1), make_events({"x": np.linspace(-1, 1, 64)})).adversary.components
    1
    """

    def made(key: PRNGKeyArray, events: Events) -> Adversarial:
        parameters = [s.parameter for s in systematics]
        beside = make_adversary(jax.random.fold_in(key, 1), parameters, components=components, width=width, depth=depth)
        return Adversarial(make(key, events), beside)

    return made


def without_adversary(networks: Any) -> Any:
    """Take the networks of :func:`with_adversary` alone, stacked as they are; others come back unchanged.

    Parameters
    ----------
    networks : with or without adversaries

    >>> without_adversary("a network of another kind")
    'a network of another kind'
    """
    return networks.network if isinstance(networks, Adversarial) else networks


def make_adversary(
    key: PRNGKeyArray, parameters: Sequence[Parameter], *, components: int = 5, width: int = 20, depth: int = 2
) -> Adversary:
    """A fresh adversary: ``components`` Gaussians, ``depth`` hidden layers of ``width`` (the paper's sizes)."""
    sizes = [2, *[width] * depth, components * (1 + 2 * len(parameters))]
    return Adversary(linear_layers(key, sizes), tuple(parameters), components)


@functools.cache
def minimax(
    rate: float = 1e-3, adversary_rate: float = 1e-2, *, momentum: float = 0.5
) -> Callable[[int], optax.GradientTransformation]:
    """Make the optimizer of :func:`adversarial` losses, for ``Training(optimizer=minimax())``.

    AdamW with two learning rates (arXiv:1706.08500), so that the adversary stays near its best answer while the network
    moves, little momentum, in which a saddle point oscillates, and both rates falling to zero over all steps as a
    cosine, which ends what oscillation is left.

    Parameters
    ----------
    rate : learning rate of the network at first
    adversary_rate : learning rate of the adversary at first
    momentum : β₁ of AdamW

    >>> minimax() is minimax()  # equal settings share one compiled loop
    True
    """

    def of_steps(steps: int) -> optax.GradientTransformation:
        def adam(peak: float, decay: float) -> optax.GradientTransformation:
            return optax.adamw(optax.cosine_decay_schedule(peak, steps), b1=momentum, weight_decay=decay)

        return optax.multi_transform({"network": adam(rate, 1e-4), "adversary": adam(adversary_rate, 0.0)}, _label)

    return functools.cache(of_steps)


def _label(tree: Any) -> Any:
    """The field of :class:`Adversarial` that each array belongs to."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[0].name, tree)


def drawn(
    key: PRNGKeyArray, events: Events, systematics: Sequence[Systematic]
) -> tuple[Events, Float[jax.Array, "event parameter"]]:
    """The events, each at its own parameters from their priors, and these."""
    theta = draw(key, [s.parameter for s in systematics], (events.weight.shape[0],))
    return shift(events, systematics, theta), jnp.stack(list(theta.values()), axis=1)


def logits(network: Any, events: Events) -> Float[jax.Array, " event"]:
    """The network's output for each event."""
    logit = jax.vmap(network)(jnp.asarray(inputs(network, events)))
    if logit.ndim != 1:
        raise InputError("adversary", f"a network with outputs of shape {logit.shape[1:]}", "a single logit")
    return logit


def adversary_loss(
    adversary: Adversary,
    logit: Float[jax.Array, " event"],
    theta: Float[jax.Array, "event parameter"],
    events: Events,
    processes: tuple[str, ...] = (),
) -> Float[jax.Array, ""]:
    """−(1/n) Σ_i w_i ln p(θ_i | logit_i) over the n rows; of the events of ``processes``, () for all."""
    weight = events.weight * events.is_process(processes) if processes else events.weight
    return -jnp.mean(weight * jax.vmap(adversary.log_density)(logit, theta))


def prior(parameters: Sequence[Parameter]) -> tuple[np.ndarray, np.ndarray]:
    """Centres and widths of the priors that :func:`verax.approaches.draw` draws from."""
    width = [p.constraint.width if isinstance(p.constraint, Gaussian) else 1.0 for p in parameters]
    return np.asarray([p.init for p in parameters]), np.asarray(width)


def _check_pair(network: Any, systematics: Sequence[Systematic]) -> None:
    if not isinstance(network, Adversarial):
        seen = f"a network of type {type(network).__name__}"
        raise InputError("adversarial loss", seen, "one with an adversary", "make it with with_adversary")
    names, known = [s.name for s in systematics], [p.name for p in network.adversary.parameters]
    if names != known:
        raise InputError("adversarial loss", f"systematics {names}", f"{known}, those of the adversary, in this order")


@jax.custom_vjp
def _reversed(x: jax.Array, strength: jax.Array) -> jax.Array:
    """x, with the derivative −strength: the gradient reversal layer of arXiv:1409.7495."""
    return x


_reversed.defvjp(
    lambda x, strength: (x, strength), lambda strength, slope: (-strength * slope, jnp.zeros_like(strength))
)


def _log_normal(pull: jax.Array) -> jax.Array:
    return -0.5 * pull**2 - 0.5 * np.log(2 * np.pi)
