"""The curvature of the log-likelihood in the weights: value, gradient and a matrix, Hessian, Gauss–Newton or Fisher."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float, PRNGKeyArray

from verax.events import Events
from verax.learn import Around, Loss, inputs

from ._power_likelihood import Weights, negative_log_likelihood, weights


class Surface(eqx.Module):
    """−log likelihood of tempered events as a function of the chosen weights of a network.

    Parameters
    ----------
    where : the network's tree, True at the leaves that are chosen
    curvature : "gauss-newton", "fisher" or "hessian", static
    batch : rows at once in the sum of the first two, static
    """

    loss: Loss
    events: Events
    network: Any
    where: Any
    curvature: str = eqx.field(static=True)
    batch: int = eqx.field(static=True)

    def held(self) -> Weights:
        """The chosen weights, at the values that ``network`` has."""
        return weights(self.network, self.where)

    def __call__(self, vector: Float[jax.Array, " weight"]) -> Float[jax.Array, ""]:
        return negative_log_likelihood(self.held().network(vector), self.loss, self.events, jax.random.key(0))


@eqx.filter_jit
def value_of(surface: Surface, vector: Float[jax.Array, " weight"]) -> Float[jax.Array, ""]:
    """−log likelihood at those weights."""
    return surface(vector)


@eqx.filter_jit
def curvature_of(
    surface: Surface, vector: Float[jax.Array, " weight"]
) -> tuple[Float[jax.Array, ""], Float[jax.Array, " weight"], Float[jax.Array, "weight weight"]]:
    """Value, gradient and curvature of −log likelihood at those weights."""
    value, gradient = jax.value_and_grad(surface)(vector)
    matrix = jax.hessian(surface)(vector) if surface.curvature == "hessian" else _by_event(surface, vector)
    return value, gradient, matrix


class _FixedOutput(Around):
    """A network of one output whatever it reads: with it a loss is a function of the output alone."""

    output: Any

    def __call__(self, x: jax.Array, *, key: PRNGKeyArray | None = None) -> Any:
        return self.output


def _by_event(surface: Surface, vector: Float[jax.Array, " weight"]) -> Float[jax.Array, "weight weight"]:
    """Σ_i J_iᵀ H_i J_i (arXiv:2106.14806, section 2) in batches of rows; the last one is filled up with rows of zero."""
    n, rows = surface.events.weight.shape[0], surface.batch
    held = surface.held()

    def one(number: jax.Array) -> tuple[jax.Array, jax.Array]:
        row = jax.tree.map(lambda a: jnp.asarray(a)[jnp.minimum(number, n - 1)][None], surface.events)
        x = jnp.asarray(inputs(surface.network, row))[0]

        def output(vector: jax.Array) -> jax.Array:
            return held.network(vector)(x)

        def cost(output: jax.Array) -> jax.Array:
            return surface.loss(_FixedOutput(surface.network, output), row, jax.random.key(0))

        jacobian = jax.jacrev(output)(vector).reshape(-1, vector.size)  # J_i [output, weight]
        loss: Any = surface.loss
        fisher = surface.curvature == "fisher"
        # H_i [output, output]: ∂²(w_i ℓ_i)/∂f² of this event, or w_i E_{y|f}[∂²ℓ/∂f²]
        hessian = row.weight[0] * loss.fisher(output(vector)) if fisher else jax.hessian(cost)(output(vector))
        hessian = hessian.reshape(len(jacobian), len(jacobian))
        return jacobian, (hessian * (number < n)) @ jacobian

    # Stacked rows: Σ_i J_iᵀ (H_i J_i) is one matrix product a batch.
    def part(total: jax.Array, numbers: jax.Array) -> tuple[jax.Array, None]:
        left, right = jax.vmap(one)(numbers)
        return total + left.reshape(-1, vector.size).T @ right.reshape(-1, vector.size), None

    index = jnp.arange(-(-n // rows) * rows).reshape(-1, rows)
    return jax.lax.scan(part, jnp.zeros((vector.size, vector.size), vector.dtype), index)[0]
