"""How well a score separates two classes, and whether it is another for the events that it was learnt from."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import kolmogorov

from verax.errors import InputError
from verax.given import Labels, PerEvent, plain
from verax.results import FloatArray


@dataclass(frozen=True)
class Roc:
    """Efficiencies above each threshold of a score, from the highest to the lowest, and the area below their curve.

    Parameters
    ----------
    false_rate : of the background
    true_rate : of the signal
    area : ½ for a score that knows nothing; ties count half
    error : of the area, by the fluctuations of both samples
    """

    false_rate: Float[np.ndarray, " point"]
    true_rate: Float[np.ndarray, " point"]
    area: float
    error: float


@plain("roc", finite="score weight", whole="label")
def roc(score: PerEvent, label: Labels, weight: PerEvent | None = None, *, points: int = 200) -> Roc:
    """Measure the efficiencies of a score, the area under their curve, and its error.

    Weights keep their signs: where they are negative a curve may fall, and leave [0, 1].

    Parameters
    ----------
    score : larger for the signal
    label : true for events of the signal
    weight : of any sign, as long as both sums are positive; by default 1
    points : of the curve, at most; the area is that of all events

    Raises
    ------
    InputError : for a class whose weights do not sum to more than zero

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837, for equal weights.

    >>> found = roc(np.array([0.0, 1.0, 1.0, 2.0]), np.array([False, False, True, True]))
    >>> found.area, round(found.error, 3)
    (0.875, 0.125)
    """
    if not np.isin(label, (0, 1)).all():
        raise InputError("roc", f"labels {np.unique(label)[:5].tolist()}", "0 and 1, or truth values")
    signal = np.asarray(label, bool)
    w = np.ones(len(signal)) if weight is None else np.asarray(weight, np.float64)
    totals = {"signal": w[signal].sum(), "background": w[~signal].sum()}
    for name, total in totals.items():
        if not total > 0:
            raise InputError("roc", f"a sum of weights of {total:g} of the {name}", "a positive one")
    _, rank = np.unique(score, return_inverse=True)
    size = rank.max() + 1
    high = np.bincount(rank[signal], w[signal], size) / totals["signal"]
    low = np.bincount(rank[~signal], w[~signal], size) / totals["background"]
    below, above = np.cumsum(low) - low / 2, 1 - (np.cumsum(high) - high / 2)
    area = float(high @ below)
    spread = [
        np.square(w[chosen] * (share[rank[chosen]] - area)).sum() / totals[name] ** 2
        for name, chosen, share in (("signal", signal, below), ("background", ~signal, above))
    ]
    steps = np.cumsum(np.abs(low) + np.abs(high))[::-1]
    at = np.arange(size)
    if size > points:
        at = np.unique([0, *np.searchsorted(-steps, -np.linspace(steps[0], steps[-1], points - 2)), size - 1])
    false, true = (np.append(0.0, np.cumsum(share[::-1])[at]) for share in (low, high))
    return Roc(false, true, area, float(np.sqrt(sum(spread))))


@dataclass(frozen=True)
class Overtraining:
    """A score of events that a model learnt from (``seen``), beside that of others.

    Parameters
    ----------
    edges : of bins
    seen, unseen : share of the weight in each bin
    seen_error, unseen_error : of these, by the number of events
    distance : Kolmogorov's, of the two distributions without bins
    p_value : of a larger distance, were they the same; asymptotic, each sample with (Σw)²/Σw² events
    """

    edges: FloatArray
    seen: FloatArray
    seen_error: FloatArray
    unseen: FloatArray
    unseen_error: FloatArray
    distance: float
    p_value: float


@plain("overtraining", finite="seen unseen seen_weight unseen_weight")
def overtraining(
    seen: Float[np.ndarray, " seen"],
    unseen: Float[np.ndarray, " unseen"],
    seen_weight: Float[np.ndarray, " seen"] | None = None,
    unseen_weight: Float[np.ndarray, " unseen"] | None = None,
    *,
    bins: int = 25,
) -> Overtraining:
    """Compare the scores of events that a model learnt from with those of other events.

    Both samples must be of one class, and no event in both.

    Parameters
    ----------
    seen : scores of events that the model learnt from
    unseen : those of others
    seen_weight : of any sign, as long as the sum is positive; by default 1
    unseen_weight : the same of the others
    bins : equal bins of [0, 1], or of the range of the scores where that is larger

    Raises
    ------
    InputError : as :func:`verax.shift.kolmogorov_smirnov`

    Source: Smirnov, Annals of Mathematical Statistics 19 (1948) 279.

    >>> found = overtraining(np.array([0.1, 0.5]), np.array([0.5, 0.9]), bins=2)
    >>> found.seen.tolist(), found.distance, round(found.p_value, 2)
    ([0.5, 0.5], 0.5, 0.96)
    """
    from verax.shift import kolmogorov_smirnov  # whose face imports JAX, which reports do without

    distance, resolution = kolmogorov_smirnov(seen, unseen, seen_weight, unseen_weight)
    edges = np.linspace(min(0.0, seen.min(), unseen.min()), max(1.0, seen.max(), unseen.max()), bins + 1)
    found = []
    for values, given in ((seen, seen_weight), (unseen, unseen_weight)):
        w = np.ones(len(values)) if given is None else np.asarray(given, np.float64)
        found += [np.histogram(values, edges, weights=w)[0] / w.sum()]
        found += [np.sqrt(np.histogram(values, edges, weights=w**2)[0]) / w.sum()]
    return Overtraining(
        edges, found[0], found[1], found[2], found[3], distance, float(kolmogorov(distance / resolution))
    )
