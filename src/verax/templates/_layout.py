"""Where the bins of several channels lie: one after another, or as a grid with channels as an axis."""

from dataclasses import dataclass

import numpy as np

from verax.arrays import Array, Float, namespace


@dataclass(frozen=True)
class Layout:
    """Two layouts of the same bins: flat [bin], and a grid [channel, slot] padded with zeros.

    A factor per channel multiplies a grid by plain broadcasting, which is what makes the derivatives fast.
    """

    bins: tuple[int, ...]

    @property
    def channel(self) -> np.ndarray:
        """The channel of each bin."""
        return np.repeat(np.arange(len(self.bins)), self.bins)

    @property
    def slot(self) -> np.ndarray:
        """The place of each bin in its channel."""
        return np.concatenate([np.arange(n) for n in self.bins])

    def grid(self, flat: Float[Array, "*axes bin"]) -> Float[Array, "*axes channel slot"]:
        """[..., bin] -> [..., channel, slot], zero where a channel has fewer bins."""
        channels, slots = len(self.bins), max(self.bins)
        if all(n == slots for n in self.bins):
            return flat.reshape(*flat.shape[:-1], channels, slots)
        index = np.full((channels, slots), flat.shape[-1])
        index[self.channel, self.slot] = np.arange(flat.shape[-1])
        xp = namespace(flat)
        padded = xp.concatenate([flat, xp.zeros((*flat.shape[:-1], 1), flat.dtype)], axis=-1)
        return padded[..., index]

    def flat(self, grid: Float[Array, "*axes channel slot"]) -> Float[Array, "*axes bin"]:
        """[..., channel, slot] -> [..., bin]."""
        if all(n == max(self.bins) for n in self.bins):
            return grid.reshape(*grid.shape[:-2], -1)
        return grid[..., self.channel, self.slot]
