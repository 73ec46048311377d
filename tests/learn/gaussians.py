"""Two Gaussian classes: the exact classifier is logit(x) = d·(x0 − d/2) for equal priors, with AUC Φ(d/√2)."""

from functools import partial

import numpy as np
from scipy.stats import norm

from verax.events import Events, make_events
from verax.learn import balance, classifier

DISTANCE = 1.5
AUC = float(norm.cdf(DISTANCE / np.sqrt(2)))
FEATURES = ("x0", "x1")
make = partial(classifier, features=FEATURES, width=16, depth=1)
weigh = partial(balance, signal=("signal",))


def sample(seed: int, n: int, *, weighted: bool = False) -> Events:
    """``n`` events, half of them signal; column x1 and the column ``unused`` carry no information."""
    rng = np.random.default_rng(seed)
    process = (np.arange(n) % 2).astype(np.int32)
    x = rng.normal(size=(n, 3)) + np.array([DISTANCE, 0, 0]) * process[:, None]
    weight = np.where(process == 1, 0.01, 10.0) * (
        rng.choice([1.0, 2.0, -0.5], n, p=[0.6, 0.3, 0.1]) if weighted else 1
    )
    columns = {name: x[:, i] for i, name in enumerate(("x0", "x1", "unused"))}
    return make_events(columns, weight=weight, process=process, processes=("background", "signal"))
