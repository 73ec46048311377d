"""Every method of regression by name, with what it promises."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from jaxtyping import PRNGKeyArray

from verax.compare._conformal import conformal_quantiles, cv_plus, split_conformal
from verax.compare._deep_ensemble import SHARE, as_printed, deep_ensemble
from verax.compare._dropout import dropout
from verax.compare._members import LAPLACE, augmented, bootstrap, chains, gaussians, mean_ensemble, variational
from verax.compare._networks import density, evidence, quantile, single
from verax.compare._predictions import Fitted
from verax.compare._published import ADVERSARIAL, PLAIN
from verax.compare._references import gaussian_process, linear
from verax.compare._regression_data import Data, Partition
from verax.compare._regression_training import RegressionEffort

Fit: TypeAlias = Callable[[PRNGKeyArray, Data, Partition, RegressionEffort], Fitted]


@dataclass(frozen=True)
class Method:
    """A way to predict with uncertainty.

    Parameters
    ----------
    fit : trains and predicts; may give several rows of the table from one training
    rows : the names of its rows, each with what is guaranteed, and whether any model will do
    largest : rows of a split above which it is left out: it would take hours
    extra : only when it is asked for
    package : that it needs and verax does not
    """

    fit: Fit
    rows: dict[str, tuple[str, str]]
    largest: float = np.inf
    extra: bool = False
    package: str = ""


NONE = "none"
SPLIT = "marginal, finite n"
METHODS: dict[str, Method] = {
    "linear regression": Method(linear, {"linear regression": ("if linear", "no")}),
    "gaussian process": Method(
        gaussian_process, {"Gaussian process": ("if its prior is right", "no")}, package="sklearn"
    ),
    "mean-variance": Method(single, {"mean-variance network": (NONE, "no")}),
    "mixture density": Method(density, {"mixture density network": (NONE, "no")}),
    "evidential": Method(evidence, {"evidential network": (NONE, "no")}),
    "quantile regression": Method(quantile, {"quantile regression": ("asymptotic", "yes")}),
    ADVERSARIAL: Method(partial(deep_ensemble, row=ADVERSARIAL, share=SHARE), {ADVERSARIAL: (NONE, "yes")}),
    "deep ensemble as printed": Method(as_printed, {"deep ensemble as printed": (NONE, "yes")}, extra=True),
    PLAIN: Method(partial(deep_ensemble, row=PLAIN, share=0.0), {PLAIN: (NONE, "yes")}),
    "bootstrap": Method(bootstrap, {"bootstrap ensemble": (NONE, "yes")}),
    "dropout": Method(dropout, {"MC dropout": (NONE, "no"), "dropout, epistemic only": (NONE, "no")}),
    "test-time augmentation": Method(augmented, {"test-time augmentation": (NONE, "yes")}),
    "variational": Method(variational, {"variational": ("none: a bound", "no")}),
    "laplace": Method(gaussians, dict.fromkeys(LAPLACE, ("posterior, asymptotic", "no"))),
    "hmc": Method(chains, {"HMC": ("posterior, asymptotic", "no")}, largest=2000.0, package="blackjax"),
    "ensemble of means": Method(mean_ensemble, {"ensemble, epistemic only": (NONE, "yes")}),
    "split conformal": Method(
        split_conformal, {"split conformal": (SPLIT, "yes"), "normalised conformal": (SPLIT, "yes")}
    ),
    "cqr": Method(conformal_quantiles, {"CQR": (SPLIT, "yes")}),
    "cv+": Method(cv_plus, {"CV+": ("≥ 2·level − 1", "yes")}),
}
"""Every method by the name that chooses it."""
