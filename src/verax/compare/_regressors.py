"""Every method of regression by name, with what it promises."""

from functools import partial

from ._comparison import Method
from ._conformal import conformal_quantiles, cv_plus, split_conformal
from ._deep_ensemble import SHARE, as_printed, deep_ensemble
from ._dropout import dropout
from ._members import augmented, bootstrap, chains, gaussians, mean_ensemble, variational
from ._networks import density, evidence, quantile, single
from ._published import ADVERSARIAL, PLAIN
from ._references import gaussian_process, linear

SPLIT = ("marginal, finite n", "yes")
ASYMPTOTIC = ("posterior, asymptotic", "no")
SAME, RATE, LAYER = ("none: same events", "yes"), ("none: spread of a rate", "no"), ("posterior of one layer", "no")
METHODS: dict[str, Method] = {
    "linear regression": Method(linear, {"linear regression": ("if linear", "no")}),
    "gaussian process": Method(
        gaussian_process, {"Gaussian process": ("if its prior is right", "no")}, package="sklearn"
    ),
    "mean-variance": Method(single, {"mean-variance network": ("none", "no")}),
    "mixture density": Method(density, {"mixture density network": ("none", "no")}),
    "evidential": Method(evidence, {"evidential network": ("none", "no")}),
    "quantile regression": Method(quantile, {"quantile regression": ("asymptotic", "yes")}),
    ADVERSARIAL: Method(partial(deep_ensemble, share=SHARE), {ADVERSARIAL: SAME}),
    "deep ensemble as printed": Method(as_printed, {"deep ensemble as printed": SAME}, extra=True),
    PLAIN: Method(partial(deep_ensemble, share=0.0), {PLAIN: SAME}),
    "bootstrap": Method(bootstrap, {"bootstrap ensemble": ("none", "yes")}),
    "dropout": Method(dropout, {"MC dropout": RATE, "dropout, epistemic only": RATE}),
    "test-time augmentation": Method(augmented, {"test-time augmentation": ("none: spread of inputs", "yes")}),
    "variational": Method(variational, {"variational": ("none: a bound", "no")}),
    "laplace": Method(gaussians, {"Laplace, last layer": LAYER, "Laplace, all weights": ASYMPTOTIC}),
    "hmc": Method(chains, {"HMC": ASYMPTOTIC}, largest=2000.0, package="blackjax"),
    "ensemble of means": Method(mean_ensemble, {"ensemble, epistemic only": SAME}),
    "split conformal": Method(split_conformal, {"split conformal": SPLIT, "normalised conformal": SPLIT}),
    "cqr": Method(conformal_quantiles, {"CQR": SPLIT}),
    "cv+": Method(cv_plus, {"CV+": ("≥ 2·level − 1", "yes")}),
}
"""Every method by the name that chooses it."""
