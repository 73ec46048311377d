"""Words among which an option chooses: for the code that takes them, and for help on the command line, without JAX."""

PREFIT_ERRORS = ("slope", "half-difference")
"""Error of a yield before the fit: by its slope at the nominal value, or half its change between −1 and +1 prior width."""

LARGEST_SEED = 2**32 - 1
"""JAX keeps the last 32 bits of a seed: larger ones would be the smaller ones again."""

SHAPE_ERRORS = ("relative", "absolute")
"""What the errors ``vals`` of a ``shapesys`` in an HS3 file are: relative in ROOT's files."""

BIN_CONSTRAINTS = ("gauss", "poisson")
"""What constrains γ of ``staterror`` and ``shapesys`` in an HS3 file that does not say it."""

DECORRELATE_BY = ("channel", "sample")
"""Each has a parameter of its own, after one was decorrelated."""

APPROACHES = ("propagate", "augment", "adversarial", "parameterised", "inferno")
"""Ways of systematics-aware training (see :mod:`verax.approaches`)."""

PROBLEMS = ("mixture", "pivot", "rotating", "collider")
"""Problems with a known answer that approaches are compared on."""

SHIFTS = ("none", "gap", "tail", "systematic", "corruption")
"""What differs between the points that methods learn from and those that they are judged on as well."""

UCI_SETS = ("boston", "concrete", "energy", "power", "wine")
"""Sets of regression with published splits."""

METHODS = (
    *("linear regression", "gaussian process", "mean-variance", "mixture density", "evidential", "quantile regression"),
    *("deep ensemble", "deep ensemble as printed", "deep ensemble, no adversaries", "bootstrap", "dropout"),
    *("test-time augmentation", "variational", "laplace", "hmc", "ensemble of means", "split conformal", "cqr", "cv+"),
)
"""Methods of regression that are compared on the sets."""

CLASSIFIERS = ("single", "deep ensemble", "bootstrap", "dropout", "test-time augmentation", "variational", "laplace")
"""Methods of classification that are compared on the events of an analysis, the digits or a table."""
