"""An unbinned likelihood as a user would write it: a peak over a flat background, its position known from elsewhere."""

import equinox as eqx
import jax
import jax.numpy as jnp

from verax.model import AbstractLikelihood, Data
from verax.parameters import Parameter, nuisance

SIGNAL, BACKGROUND, WIDTH, SCALE = 100.0, 400.0, 0.08, 0.02
FREE = [Parameter("mu", "", 1.0, (0.0, 10.0)), Parameter("norm", "", 1.0, (0.0, 10.0))]


class Peak(AbstractLikelihood):
    """x in [0, 1]: mu · 100 events at .5 + .02 shift, norm · 400 flat ones."""

    parameters: tuple[Parameter, ...] = eqx.field(static=True, default=(*FREE, nuisance("shift", "scale")))
    padded: int = eqx.field(static=True, default=1024)

    def intensity(self, theta, x):
        mu, norm, shift = theta
        return mu * SIGNAL * jax.scipy.stats.norm.pdf(x, 0.5 + SCALE * shift, WIDTH) + norm * BACKGROUND

    def log_observed(self, theta, data):
        density = jnp.where(data.counts != 0, self.intensity(theta, data.place), 1.0)  # 0 · log 0 of what pads is 0
        return data.counts @ jnp.log(density) - theta[0] * SIGNAL - theta[1] * BACKGROUND

    def asimov_observed(self, theta, profiled):
        x = (jnp.arange(1000) + 0.5) / 1000
        return Data(self.intensity(theta, x) / 1000, jnp.zeros(0), x)

    def sample_observed(self, keys, theta, profiled):
        number, which, where = jax.random.split(keys[0], 3)
        expected = theta[:2] * jnp.array([SIGNAL, BACKGROUND])
        n = jax.random.poisson(number, expected.sum())
        peak = jax.random.uniform(which, (self.padded,)) < expected[0] / expected.sum()
        x = jax.random.uniform(where, (self.padded,))
        x = jnp.where(peak, 0.5 + SCALE * theta[2] + WIDTH * jax.scipy.special.ndtri(x), x)
        return Data((jnp.arange(self.padded) < n) * 1.0, jnp.zeros(0), x, own_places=True)


BUMP = 0.03


class Bump(AbstractLikelihood):
    """x in [0, 1]: s events of a peak anywhere, at m, over b flat ones: −log L has a dip in m at each cluster of events."""

    parameters: tuple[Parameter, ...] = eqx.field(
        static=True,
        default=(
            Parameter("s", "", 20.0, (0.0, 200.0)),
            Parameter("m", "", 0.5, (0.0, 1.0)),
            Parameter("b", "", 100.0, (0.0, 1000.0)),
        ),
    )
    padded: int = eqx.field(static=True, default=400)

    def intensity(self, theta, x):
        return theta[0] * jax.scipy.stats.norm.pdf(x, theta[1], BUMP) + theta[2]

    def log_observed(self, theta, data):
        return data.counts @ jnp.log(self.intensity(theta, data.place)) - theta[0] - theta[2]

    def asimov_observed(self, theta, profiled):
        x = (jnp.arange(400) + 0.5) / 400
        return Data(self.intensity(theta, x) / 400, jnp.zeros(0), x)

    def sample_observed(self, keys, theta, profiled):
        number, which, where = jax.random.split(keys[0], 3)
        n = jax.random.poisson(number, theta[0] + theta[2])
        peak = jax.random.uniform(which, (self.padded,)) < theta[0] / (theta[0] + theta[2])
        x = jax.random.uniform(where, (self.padded,))
        x = jnp.where(peak, theta[1] + BUMP * jax.scipy.special.ndtri(x), x)
        return Data((jnp.arange(self.padded) < n) * 1.0, jnp.zeros(0), x, own_places=True)
