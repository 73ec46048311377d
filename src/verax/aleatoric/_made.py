"""A masked network: its numbers for column i depend on the columns before i and on the condition alone."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from verax.learn import linear_layers


class Masked(eqx.Module):
    """MADE (Germain et al., arXiv:1502.03509): ``x[column], condition → parameters[column, parameter]``.

    A unit of degree k may see columns 1 … k; the condition has degree 0, and all may see it. The masks follow from the
    sizes, so they are no part of the tree that is trained and saved.
    """

    layers: tuple[eqx.nn.Linear, ...]
    columns: int = eqx.field(static=True)
    parameters: int = eqx.field(static=True)

    @classmethod
    def make(
        cls, key: PRNGKeyArray, columns: int, condition: int, parameters: int, *, width: int, depth: int
    ) -> "Masked":
        """Random numbers in all layers but the last, which is small: the maps start near the identity."""
        return cls(_linear(key, columns + condition, columns * parameters, width, depth), columns, parameters)

    def __call__(
        self, x: Float[jax.Array, " column"], condition: Float[jax.Array, " condition"]
    ) -> Float[jax.Array, "column parameter"]:
        n, given = self.columns, condition.shape[0]
        hidden = jnp.concatenate([x, condition])
        degree = np.concatenate([np.arange(1, n + 1), np.zeros(given, int)])
        # Without a condition, units of degree 0 would see nothing at all.
        lowest = 0 if given or n == 1 else 1
        for layer in self.layers[:-1]:
            units = lowest + np.arange(layer.weight.shape[0]) % max(n - lowest, 1)
            hidden = jax.nn.silu(_masked(layer, units[:, None] >= degree, hidden))
            degree = units
        out = np.repeat(np.arange(1, n + 1), self.parameters)
        return _masked(self.layers[-1], out[:, None] > degree, hidden).reshape(n, self.parameters)


def _masked(layer: eqx.nn.Linear, mask: np.ndarray, x: jax.Array) -> jax.Array:
    return eqx.tree_at(lambda one: one.weight, layer, layer.weight * mask)(x)


@eqx.filter_jit
def _linear(key: PRNGKeyArray, inputs: int, outputs: int, width: int, depth: int) -> tuple[eqx.nn.Linear, ...]:
    *hidden, last = linear_layers(key, [inputs, *[width] * depth, outputs])
    return (*hidden, jax.tree.map(lambda leaf: 0.1 * leaf if eqx.is_inexact_array(leaf) else leaf, last))
