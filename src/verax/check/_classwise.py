"""Reliability of probabilities of several classes: of each class, and of the class that is believed most.

Classwise error: Kull et al., arXiv:1910.12656 (the mean over classes); of the top class ("confidence"): Guo et al.,
arXiv:1706.04599. Both with the bias correction and the chance level of :func:`~verax.check.reliability`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from verax.errors import InputError
from verax.given import PerClass, PerEvent, plain

from ._reliability import Bins, Reliability, reliability


@dataclass(frozen=True)
class Classwise:
    """One diagram for each class, and one for the largest probability of each event."""

    classes: tuple[Reliability, ...]
    top: Reliability

    @property
    def ece(self) -> float:
        """Mean over classes of the expected calibration error, as measured: biased upwards by fluctuations."""
        return float(np.mean([c.ece for c in self.classes]))

    @property
    def ece_corrected(self) -> float:
        """The same less its bias as estimated."""
        return float(np.mean([c.ece_corrected for c in self.classes]))

    @property
    def ece_calibrated(self) -> float:
        """What ``ece`` would be on average for exactly calibrated probabilities."""
        return float(np.mean([c.ece_calibrated for c in self.classes]))


@plain("reliability", other="probability weight", whole="label")
def classwise(
    probability: PerClass, label: Int[np.ndarray, " event"], weight: PerEvent, *, bins: Bins = 10
) -> Classwise:
    """Make reliability diagrams of each class against the rest, and of the class with the largest probability.

    Parameters
    ----------
    probability : of each class, one row an event
    label : true class, 0, 1, …
    weight : of any sign
    bins : number of equal bins of [0, 1], or their edges

    Raises
    ------
    InputError : for a label that is no column, and as :func:`reliability_sums`

    Source: Kull et al., arXiv:1910.12656; Guo et al., arXiv:1706.04599.

    >>> p = np.array([[0.8, 0.2], [0.8, 0.2], [0.3, 0.7]])
    >>> round(classwise(p, np.array([0, 0, 1]), np.ones(3), bins=2).ece, 3)
    0.233
    """
    n = probability.shape[1]
    if label.size and not 0 <= label.min() <= label.max() < n:
        raise InputError("reliability", f"labels {label.min()} … {label.max()}", f"0 … {n - 1}")
    each = tuple(reliability(probability[:, k], label == k, weight, bins=bins) for k in range(n))
    best = probability.argmax(1)
    return Classwise(each, reliability(probability.max(1), best == label, weight, bins=bins))
