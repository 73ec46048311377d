"""What callers give: numbers in any container, taken as plain arrays or refused; keys; models to be copied untrained."""

import copy
import functools
import inspect
from collections.abc import Callable
from types import NoneType
from typing import Any, ParamSpec, TypeAlias, TypeVar, get_args, get_origin

import numpy as np
from jaxtyping import Float, Shaped

from verax.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")

# Types of arguments that many functions have; points are those of calibration, test are the new ones.
PerEvent: TypeAlias = Float[np.ndarray, " event"]
PerPoint: TypeAlias = Float[np.ndarray, " point"]
PerTest: TypeAlias = Float[np.ndarray, " test"]
PerClass: TypeAlias = Float[np.ndarray, "event class"]
Labels: TypeAlias = Shaped[np.ndarray, " event"]
Weights: TypeAlias = Shaped[np.ndarray, "..."] | None


def plain(
    where: str, *, finite: str = "", number: str = "", whole: str = "", other: str = ""
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function of arrays take lists, columns of tables and the like, and refuse values that are missing.

    A column of a table would go by its index in arithmetic, a masked array would lose its mask in a conversion, and NaN
    compares false with everything: each ends in a number that looks like any other. Single numbers stay as they are, and
    None where it may be given; floats keep their precision. Axes are those of the signature.

    Parameters
    ----------
    where : the function's name, for errors
    finite, number, whole, other : names of its arguments, with spaces between: finite numbers; numbers that may be
        infinite; whole numbers (truth values are 0 and 1); anything, unmasked

    Raises
    ------
    InputError : by the function made, for masked values, none, others than such numbers, or other axes
    """
    kinds = {"finite": finite.split(), "number": number.split(), "whole": whole.split(), "other": other.split()}
    kind_of = {name: kind for kind, names in kinds.items() for name in names}

    def make(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        needed = [n for n, p in signature.parameters.items() if p.default is p.empty and n in kind_of]
        needed = [n for n in needed if NoneType not in get_args(signature.parameters[n].annotation)]

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                given = signature.bind(*args, **kwargs)
            except TypeError:
                return function(*args, **kwargs)  # says by itself which argument is missing, or too many
            values = given.arguments
            sizes: dict[str, int] = {}
            for name in [name for name in values if name in kind_of]:
                if values[name] is None and name in needed:
                    raise InputError(where, f"{name} of None", "an array")
                values[name] = taken(values[name], kind_of[name], name, where)
                check_axes(values[name], signature.parameters[name].annotation, sizes, name, where)
            return function(*given.args, **given.kwargs)

        return called

    return make


def check_axes(value: Any, annotation: Any, sizes: dict[str, int], name: str, where: str) -> None:
    """Hold an array to the axes that its annotation names; ``sizes`` are those met so far, and take its own.

    Raises
    ------
    InputError : for another number of axes, or another length of one
    """
    kinds, shape = get_args(annotation) or (annotation,), np.shape(value)
    named = [kind.dim_str.split() for kind in kinds if hasattr(kind, "dim_str")]
    if value is None or len(named) != 1 or any(get_origin(kind) is tuple for kind in kinds):
        return
    (axes,) = named
    if not all(map(str.isidentifier, axes)) or (shape == () and float in kinds):
        return
    if len(shape) != len(axes):
        raise InputError(where, f"{name} of shape {shape}", f"shape ({', '.join(axes)})")
    for axis, n in zip(axes, shape, strict=True):
        if sizes.setdefault(axis, n) != n:
            raise InputError(where, f"{name} of shape {shape}", f"{sizes[axis]} along axis '{axis}'")


def taken(value: Any, kind: str, name: str, where: str) -> Any:
    """A value as an array of one kind, see :func:`plain`.

    Raises
    ------
    InputError : for masked values, or others than such numbers
    """
    if value is None:
        return value
    array = unmasked(value, name, where)
    if kind == "other":
        return value if array.ndim == 0 else array
    if array.dtype.kind != "f" and (kind != "whole" or array.dtype.kind not in "iu"):
        array = floats(array, name, where)
    if kind == "whole" and array.dtype.kind == "f":
        wrong = array != np.floor(np.where(np.isfinite(array), array, 0.5))
        refuse(wrong, array, name + " {:g}", where, "whole numbers")
        array = array.astype(np.int64)
    wrong = ~np.isfinite(array) if kind == "finite" else np.isnan(array)
    if wrong.any():
        got = f"{int(wrong.sum())} of {array.size} values of {name} that are {array[wrong][0]}"
        raise InputError(where, got, "finite numbers" if kind == "finite" else "numbers", "leave them out or fill in")
    return value if np.ndim(value) == 0 else array


def unmasked(value: Any, name: str, where: str) -> np.ndarray:
    """Any container as an array.

    Raises
    ------
    InputError : for a masked array with masked values
    """
    mask = np.ma.getmaskarray(value) if isinstance(value, np.ma.MaskedArray) else None
    if mask is not None and mask.any():
        got = f"{int(mask.sum())} masked values of {name}"
        raise InputError(where, got, "values that are there", "leave them out or fill in")
    return np.asarray(value)


def floats(value: Any, name: str, where: str) -> np.ndarray:
    """Numbers of any container as float64.

    Raises
    ------
    InputError : for masked values, or what are no numbers
    """
    array = unmasked(value, name, where)
    try:
        if array.dtype.kind not in "USMmc":
            return np.asarray(array, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(where, f"{name} of type {array.dtype}", "numbers") from error
    raise InputError(where, f"{name} of type {array.dtype}", "numbers")


def refuse(wrong: Any, values: Any, got: str, where: str, expected: str, action: str = "") -> None:
    """Raise where some values are wrong, and name the first of them.

    Parameters
    ----------
    wrong : true for the values that are, of their shape
    values : numbers
    got : what is said of the value, which stands in it as {}
    where, expected, action : as in :class:`~verax.errors.InputError`

    Raises
    ------
    InputError : where there is such a value

    >>> refuse(np.array([False, True]), np.array([0.5, 2.0]), "probability {:g}", "example", "values in [0, 1]")
    Traceback (most recent call last):
    verax.errors.InputError: example: got probability 2; expected values in [0, 1]
    """
    if np.any(wrong):
        raise InputError(where, got.format(np.asarray(values)[wrong][0]), expected, action)


def generator(key: Any, where: str) -> np.random.Generator:
    """NumPy's random numbers from one of JAX's keys: equal keys give equal numbers.

    Parameters
    ----------
    key : of ``jax.random.key``, or of ``split`` or ``fold_in``
    where : the function's name, for errors

    Raises
    ------
    InputError : for anything else than one key

    >>> import jax
    >>> float(generator(jax.random.key(1), "example").random()) == float(generator(jax.random.key(2), "example").random())
    False
    """
    import jax  # half a second, which functions without random numbers do not need

    try:
        words = np.asarray(jax.random.key_data(key))
    except (TypeError, ValueError):
        words = np.zeros((0, 0), np.uint32)
    if words.ndim != 1:
        got = f"keys of shape {np.shape(key)}" if words.size else f"a key of type {type(key).__name__}"
        raise InputError(where, got, "one key of JAX", "give jax.random.key(1), or one of jax.random.split(key)")
    return np.random.default_rng(words)


def split_key(key: Any, n: int, where: str) -> tuple[Any, ...]:
    """N keys from one, each for one use.

    Raises
    ------
    InputError : for anything else than one key
    """
    import jax

    generator(key, where)
    return tuple(jax.random.split(key, n))


def effective_size(weight: np.ndarray) -> float:
    """Number of unit-weight events of the same statistical power, (Σw)²/Σw² (Kish 1965); 0 for no weight at all.

    >>> effective_size(np.array([1.0, 1.0, -1.0]))
    0.3333333333333333
    """
    squares = float(np.sum(weight**2))
    return float(np.sum(weight)) ** 2 / squares if squares > 0 else 0.0


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
        got = f"{type(model).__name__} with warm_start, trained already ({learnt[0]})"
        raise InputError("model", got, "an untrained one: a copy would go on from what it has seen", "give a new one")
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
