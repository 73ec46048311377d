"""What callers give: models to be copied untrained."""

import copy
from typing import Any

from verax.errors import InputError


def untrained(model: Any) -> Any:
    """A copy of a model to train, which knows nothing of what the model has been trained on.

    A model with ``get_params`` is made anew from its parameters, and so are the models among them: scikit-learn's
    ``clone`` where that is installed. Any other is copied with all that it holds: where its ``fit`` goes on from what
    it has learnt, give it untrained.

    Raises
    ------
    InputError : for a model that cannot be made anew, or one without ``get_params`` that is trained and whose ``fit``
        goes on (``warm_start``)
    """
    if hasattr(model, "get_params") and not isinstance(model, type):
        try:
            from sklearn.base import clone
        except ImportError:
            return _anew(model)
        try:
            return clone(model)
        except (TypeError, RuntimeError) as error:
            name = type(model).__name__
            raise InputError("model", f"{name}: {error}", "one that can be made anew from get_params") from error
    learnt = [name for name in getattr(model, "__dict__", {}) if name.endswith("_") and not name.startswith("_")]
    if getattr(model, "warm_start", False) and learnt:
        seen = f"{type(model).__name__} with warm_start, trained already ({learnt[0]})"
        raise InputError("model", seen, "an untrained one: a copy would go on from what it has seen", "give a new one")
    return copy.deepcopy(model)


def _anew(value: Any) -> Any:
    """A model with the same parameters; models among them anew too, all else copied."""
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(_anew(v) for v in value)
    if hasattr(value, "__sklearn_clone__"):
        return value.__sklearn_clone__()
    if hasattr(value, "get_params") and not isinstance(value, type):
        return type(value)(**{name: _anew(v) for name, v in value.get_params(deep=False).items()})
    return copy.deepcopy(value)
