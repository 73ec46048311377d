"""Collider events: pp → H→ττ, Z→ττ, top pairs and dibosons with a lepton and a hadronic tau, at 13 TeV.

A parametric simulation with the columns, thresholds, yields and nuisance parameters of the FAIR Universe HiggsML
Uncertainty Challenge (arXiv:2410.02867), made for studies of coverage: fast, and complete in what the six systematics
act on. No event of a published sample is in it.

Where its numbers come from: how jets share the recoil, from the HiggsML data (doi:10.7483/OPENDATA.ATLAS.ZBP2.M5T8: jets
given the p_T of lepton, tau and missing E_T together); the spectrum of the Z, and resolution and response of the missing
E_T, from the 500 even rows of the challenge's published sample; thresholds and the tau's scale and turn-on, from summary
statistics of all its rows, on which also what to mend was seen. Likeness is tested on the odd rows.
"""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float, PRNGKeyArray, UInt32

from verax.arrays import Array
from verax.events import Events
from verax.systematics import FAIR_UNIVERSE, PROCESSES, Systematic, derive, post_selection, systematics

from ._collider_detector import Activity, measured
from ._collider_processes import Hard, Resonance, WPair, accepted, made
from ._collider_random import staged, words_of
from ._problem import AbstractProblem

LAYOUT = FAIR_UNIVERSE

FEATURES = (*LAYOUT.measured, *LAYOUT.recomputed)

YIELDS = (1_038.6, 1_003_219.0, 40_906.0, 6_269.0)
"""Expected events at 10 fb⁻¹ of H→ττ, Z→ττ, top pairs and dibosons (arXiv:2410.02867), thresholds as published."""

HARD: dict[str, Resonance | WPair] = {
    "htautau": Resonance(125.1, 0.004, 125.0, 125.2, ((1.0, 36.0, 1.95),), 1.2),
    "ztautau": Resonance(91.19, 2.495, 60.0, 120.0, ((0.72, 10.0, 2.3), (0.28, 60.0, 2.8)), 1.9),
    "ttbar": WPair(True, 150.0, 3.0, 30.0, 0.9, 0.8),
    "diboson": WPair(False, 50.0, 2.0, 20.0, 1.3, 0.8),
}
"""How each process starts: masses and widths from the Particle Data Group, spectra in GeV."""

SOFT = {
    "htautau": Activity((0.9, 0.5, 0.35), forward=0.3, share=0.9, unclustered=5.0, noise=9.0, onset=90.0),
    "ztautau": Activity((0.8, 0.4, 0.3), share=0.9, unclustered=5.0, onset=90.0),
    "ttbar": Activity((0.35, 0.5, 0.4), unclustered=8.0),
    "diboson": Activity((0.2, 0.4, 0.3)),
}
"""What comes with it."""


BLOCK = 1 << 13  # events at a time


class Collider(AbstractProblem):
    """Signal strength of H→ττ beside Z→ττ, top pairs and dibosons.

    Parameters
    ----------
    features : columns that a network may read
    processes : names of all processes
    signal : name of the process that μ multiplies
    yields : expected events of each process at 10 fb⁻¹
    systematics : the challenge's six
    shares : how many events of each process stand for one: with 25 for Z→ττ, ``nominal(key, n)`` has 25 n of them
    """

    features: tuple[str, ...] = eqx.field(default=FEATURES, static=True)
    processes: tuple[str, ...] = eqx.field(default=PROCESSES, static=True)
    signal: tuple[str, ...] = eqx.field(default=PROCESSES[:1], static=True)
    yields: tuple[float, ...] = eqx.field(default=YIELDS, static=True)
    systematics: tuple[Systematic, ...] = eqx.field(default_factory=systematics)
    shares: tuple[int, ...] = eqx.field(default=(1, 1, 1, 1), static=True)

    def nominal(self, key: PRNGKeyArray, n: int) -> Events:
        """Simulate events at the nominal parameters, weighted to each process's expected yield; works under ``jit``.

        Parameters
        ----------
        key : random key of the events
        n : events of each process, times its share
        """
        return _nominal(key, tuple(n * share for share in self.shares))

    def select(self, events: Events) -> Events:
        """Apply the challenge's thresholds again after a shift: tau 26, lepton 20, jets 26 GeV.

        Parameters
        ----------
        events : after a shift
        """
        kept, passed = post_selection(events, LAYOUT)
        return kept.reweight(passed.astype(jnp.float32))


@eqx.filter_jit
def _nominal(key: PRNGKeyArray, numbers: tuple[int, ...]) -> Events:
    block = min(BLOCK, max(numbers) + max(numbers) % 2)
    blocks = [-(-n // block) for n in numbers]
    keys = jax.random.split(key, len(PROCESSES) + 2)
    parts = []
    for k, name, n, rows in zip(keys[2:], PROCESSES, numbers, blocks, strict=True):
        words, hard = words_of(k), HARD[name]
        index = jnp.pad(accepted(words, hard, n), (0, rows * block - n)).reshape(rows, block)
        parts.append(lax.map(partial(made, words, hard), index))
    together = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
    repeats = np.asarray(blocks)
    soft = jax.tree.map(
        lambda *a: jnp.asarray(np.repeat(np.asarray(a, np.float32), repeats)), *(SOFT[p] for p in PROCESSES)
    )
    index = jnp.arange(sum(blocks) * block, dtype=jnp.uint32).reshape(-1, block)
    x = lax.map(partial(_table, words_of(keys[0])), (index, together, soft)).reshape(-1, len(FEATURES))
    starts = np.cumsum([0, *blocks[:-1]]) * block
    x = jnp.concatenate([x[start : start + n] for start, n in zip(starts.tolist(), numbers, strict=True)])
    return Events(
        x,
        jnp.concatenate([jnp.full(n, total / n, jnp.float32) for n, total in zip(numbers, YIELDS, strict=True)]),
        jnp.concatenate([jnp.full(n, i, jnp.int32) for i, n in enumerate(numbers)]),
        jax.random.bits(keys[1], (), jnp.uint32) + jnp.arange(len(x), dtype=jnp.uint32),
        FEATURES,
        PROCESSES,
    )


def _table(words: UInt32[Array, "2"], block: tuple[jax.Array, Hard, Activity]) -> Float[Array, "event column"]:
    """All columns of one block of events: so many that they stay in the cache."""
    index, hard, activity = block
    values = staged(lambda index, hard: measured(words, index, hard, activity, LAYOUT), index, hard)
    zero = jnp.zeros(index.shape, jnp.float32)
    x = jnp.stack([values.get(name, zero) for name in FEATURES], axis=1)
    return derive(Events(x, zero, zero.astype(jnp.int32), index, FEATURES, PROCESSES), LAYOUT).x
