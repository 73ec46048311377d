"""Generative adversarial networks: an implicit model, which can be sampled and has no density (arXiv:1406.2661).

Nothing says how wrong such a model is: its loss is that of a game and does not fall as it gets better, and modes of the
data may be missing without a trace. Judge it by its samples, against data that it never saw; where a density is wanted,
take a :func:`verax.aleatoric`.
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from verax.errors import InputError, check_least
from verax.events import Events
from verax.learn import Standardise, inputs, standardise

from ._head import Condition, check_columns, check_total, condition_of, condition_scale

_ROWS = 1 << 15


class Gan(eqx.Module):
    """Generator of ``columns`` given ``condition``, and the critic that it is trained against; made by :func:`gan`.

    Parameters
    ----------
    columns : what it draws
    condition : what it is given (may be none)
    latent : how many Gaussian numbers the generator starts from
    scale : fixed centre and scale of the columns
    given : fixed centre and scale of the condition
    generator : trainable network (latent numbers, condition) → columns
    critic : trainable network (columns, condition) → log-odds of an event against a draw
    """

    columns: tuple[str, ...] = eqx.field(static=True)
    condition: tuple[str, ...] = eqx.field(static=True)
    latent: int = eqx.field(static=True)
    scale: Standardise
    given: Standardise
    generator: eqx.nn.MLP
    critic: eqx.nn.MLP

    @property
    def features(self) -> tuple[str, ...]:
        """Columns that training reads: those that are drawn, then the condition."""
        return self.columns + self.condition

    def sample(self, key: PRNGKeyArray, n: int, condition: Condition = None) -> Float[jax.Array, "event column"]:
        """Draw ``n`` rows of the columns.

        Parameters
        ----------
        key : random key of the draws
        n : number of draws
        condition : of each draw, ``[n, condition]``, or one for all of them; None where there is none

        Raises
        ------
        InputError : for fewer than one draw, or a condition that is missing, has another shape or is not expected
        """
        if n < 1:
            raise InputError("sample", f"{n} draws", "at least one")
        return _draw(self, key, n, condition_of(condition, self.condition, n, "GAN"))


@eqx.filter_jit
def _draw(gan: Gan, key: PRNGKeyArray, n: int, condition: jax.Array) -> jax.Array:
    def one(row: tuple[jax.Array, jax.Array]) -> jax.Array:
        unit = gan.generator(jnp.concatenate([row[0], gan.given(row[1])]))
        return unit * gan.scale.scale + gan.scale.centre

    return jax.lax.map(one, (jax.random.normal(key, (n, gan.latent)), condition), batch_size=_ROWS)


def gan(
    key: PRNGKeyArray,
    events: Events,
    columns: Sequence[str],
    *,
    condition: Sequence[str] = (),
    latent: int | None = None,
    width: int = 64,
    depth: int = 2,
) -> Gan:
    """Make a fresh generator and critic, standardised to ``events``; train them on :class:`GanLoss`.

    Train without a validation part: the loss does not say which epoch was best. A learning rate that falls to zero ends
    the oscillation of the two.

    Parameters
    ----------
    key : random key of the initial weights
    events : training part only, with training weights
    columns : what is drawn
    condition : columns that the draws are conditional on
    latent : how many Gaussian numbers the generator starts from; twice as many as columns by default
    width : units of a hidden layer, of both networks
    depth : number of hidden layers, of both networks

    Raises
    ------
    InputError : for an unknown name, a column that is also a condition, no column, no latent number, values that are not
        finite, or weights that do not sum to a positive number

    >>> from verax.events import make_events
    >>> table = make_events({"x": np.zeros(4), "y": np.arange(4.0)})
    >>> made = gan(jax.random.key(0), table, ("y",), condition=("x",), width=8, depth=1)
    >>> made.sample(jax.random.key(1), 3, np.zeros(1)).shape
    (3, 1)
    """
    check_columns(columns, condition, "GAN")
    check_total(events)
    latent = 2 * len(columns) if latent is None else latent
    check_least(latent, 1, "latent")
    scale = standardise(np.asarray(events.features(columns)), np.asarray(events.weight))
    first, second = jax.random.split(key)
    n, given = len(columns), len(condition)
    generator = eqx.nn.MLP(latent + given, n, width, depth, activation=jax.nn.silu, dtype=jnp.float32, key=first)
    critic = eqx.nn.MLP(n + given, "scalar", width, depth, activation=jax.nn.silu, dtype=jnp.float32, key=second)
    return Gan(tuple(columns), tuple(condition), latent, scale, condition_scale(events, condition), generator, critic)


class GanLoss(eqx.Module):
    """Both players' losses in one, each differentiated in its own weights only, for simultaneous steps.

    The critic's is the weighted cross-entropy of events against draws, with half ``penalty`` times its squared gradient at
    the events (R1, Mescheder et al., arXiv:1801.04406), without which the training need not converge; the generator's is the
    non-saturating one. A draw has the weight of the event whose condition it was given. Signed weights enter both with
    their sign, so that negative events are subtracted from the distribution (arXiv:1912.08824); the penalty counts them
    by magnitude. Where the total weight of a region is negative no generator can be right, and the critic says so without
    bound.

    Parameters
    ----------
    penalty : γ of R1, zero or above

    Raises
    ------
    InputError : for a negative penalty, and (in use) for a network that is no Gan

    >>> from verax.events import make_events
    >>> table = make_events({"x": np.zeros(4), "y": np.arange(4.0)})
    >>> network = gan(jax.random.key(0), table, ("y",), condition=("x",), width=8, depth=1)
    >>> eqx.filter_eval_shape(GanLoss(), network, table, jax.random.key(1)).shape
    ()
    """

    penalty: float = eqx.field(static=True, default=1.0)

    def __check_init__(self) -> None:
        if not self.penalty >= 0:
            raise InputError("penalty", f"{self.penalty}", "a number that is not negative")

    def __call__(self, network: Any, events: Events, key: PRNGKeyArray) -> Float[jax.Array, ""]:
        if not isinstance(network, Gan):
            raise InputError("GanLoss", f"a {type(network).__name__}", "a network made with gan")
        n = len(network.columns)
        x = jnp.asarray(inputs(network, events))
        given = jax.vmap(network.given)(x[:, n:])
        real = jnp.concatenate([jax.vmap(network.scale)(x[:, :n]), given], axis=1)
        latent = jax.random.normal(key, (x.shape[0], network.latent))
        drawn = jax.vmap(network.generator)(jnp.concatenate([latent, given], axis=1))
        fake = jnp.concatenate([drawn, given], axis=1)
        critic = network.critic
        fixed = jax.tree.map(lambda a: jax.lax.stop_gradient(a) if eqx.is_array(a) else a, critic)
        logit, gradient = jax.vmap(jax.value_and_grad(lambda point: critic(point)))(real)
        # Critic: −ln D(x) − ln(1 − D(G(z))); generator: −ln D(G(z)); R1: ½ γ |∇_x logit D(x)|² at the events.
        of_critic = jax.nn.softplus(-logit) + jax.nn.softplus(jax.vmap(critic)(jax.lax.stop_gradient(fake)))
        of_generator = jax.nn.softplus(-jax.vmap(fixed)(fake))
        r1 = 0.5 * self.penalty * jnp.sum(gradient[:, :n] ** 2, axis=1)
        return jnp.mean(events.weight * (of_critic + of_generator) + jnp.abs(events.weight) * r1)
