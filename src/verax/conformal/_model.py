"""The interface to a user's model: a callable on arrays, or an object with ``fit`` and ``predict``."""

import inspect
import sys
from typing import Any

import numpy as np
from jaxtyping import Float

from verax.errors import InputError
from verax.given import floats, refuse, unmasked, untrained
from verax.results import FloatArray


def rows(x: Any) -> int:
    """Number of points in X: an array, a data frame, a sparse matrix or a list.

    Raises
    ------
    InputError : for what has no rows, such as a table that is still to be read
    """
    shape = x.shape if hasattr(x, "shape") else np.asarray(x).shape
    if not len(shape):
        raise InputError("model", f"X of type {type(x).__name__}", "an array, or a table with rows")
    return int(shape[0])


def take(x: Any, index: Any) -> Any:
    """Points of X by position or mask."""
    if hasattr(x, "iloc"):
        return x.iloc[index]
    if hasattr(x, "tocsr"):
        return x.tocsr()[index]
    return x[index] if hasattr(x, "shape") else np.asarray(x)[index]


def fitted(model: Any, x: Any, y: Any, weight: Any = None) -> Any:
    """A fitted copy of the model, see :func:`~verax.given.untrained`; a plain callable is taken as it is.

    Raises
    ------
    InputError : when there are weights and ``fit`` takes none, or for a model that cannot be copied untrained
    """
    if not hasattr(model, "fit"):
        if callable(model):
            return model
        raise InputError("model", type(model).__name__, "a callable, or an object with fit and predict")
    fresh = untrained(model)
    if weight is None:
        return fresh.fit(checked_features(x), y)
    # A Pipeline's weights are for its last step, unless scikit-learn is told to ask each step.
    asked = "sklearn" in sys.modules and sys.modules["sklearn"].get_config().get("enable_metadata_routing", False)
    step, taker = fresh.steps[-1] if hasattr(fresh, "steps") and not asked else ("", fresh)
    parameters = inspect.signature(taker.fit).parameters
    if "sample_weight" not in parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        name = type(taker).__name__
        raise InputError("model", f"weights for {name}", "a model whose fit takes sample_weight", "fit it without")
    return fresh.fit(checked_features(x), y, **{f"{step}__sample_weight" if step else "sample_weight": weight})


def checked_features(x: Any) -> Any:
    """X as it is, without a mask: no model is known to regard one.

    Raises
    ------
    InputError : for masked values
    """
    if isinstance(x, np.ma.MaskedArray):
        unmasked(x, "X", "model")
    return x


def predicted(model: Any, x: Any, *, columns: int | None = None, what: str = "model") -> FloatArray:
    """Predictions as float64: one a point, or ``columns`` a point.

    Raises
    ------
    InputError : for another shape (both are named), or values that are not finite
    """
    function = model.predict if hasattr(model, "predict") else model
    values = floats(function(checked_features(x)), "the prediction", what)
    n = rows(x)
    expected = (n,) if columns is None else (n, columns)
    if columns is None and values.shape == (n, 1):
        values = values[:, 0]
    if values.shape != expected:
        raise InputError(what, f"output of shape {values.shape}", f"shape {expected}: one prediction a point")
    refuse(~np.isfinite(values), values, "prediction {}", what, "finite predictions")
    return values


def probabilities(model: Any, x: Any, classes: int | None) -> Float[np.ndarray, "point class"]:
    """Predicted probabilities of each class, checked; a callable returns them itself."""
    function = model.predict_proba if hasattr(model, "predict_proba") else model
    return check_probability(function(checked_features(x)), rows(x), classes, "model")


def check_probability(values: Any, n: int, classes: int | None, where: str) -> Float[np.ndarray, "point class"]:
    """Probabilities of n points and some classes.

    Raises
    ------
    InputError : for another shape, a value outside [0, 1], or rows that do not add up to 1 within 1e-3
    """
    p = floats(values, "the probabilities", where)
    if p.ndim != 2 or p.shape[0] != n or (classes is not None and p.shape[1] != classes):
        wanted = "classes" if classes is None else str(classes)
        raise InputError(where, f"output of shape {p.shape}", f"shape ({n}, {wanted}): a probability for each class")
    refuse(~((p >= 0) & (p <= 1)), p, "probability {:g}", where, "values in [0, 1]")
    total = p.sum(1)
    if n and np.abs(total - 1).max() > 1e-3:
        raise InputError(where, f"probabilities that add up to {total[np.abs(total - 1).argmax()]:g}", "1")
    return p
