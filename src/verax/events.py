"""One table of events: all before the histogram is a function of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from verax.arrays import Array, Bool, Float, Int, Scalar, Tree, UInt32, static
from verax.errors import InputError, check_known

ARRAYS = ("x", "weight", "process", "number")

KINDS = {**dict.fromkeys("USO", "text"), **dict.fromkeys("Mm", "times"), "c": "complex numbers"}
"""What values are that are no numbers, by NumPy's letter."""

RESOLVED = 100
"""Steps of float32 that a column's values must at least spread over, to be more than a few values in it."""


class Events(Tree):
    """Events as one pytree; every array has the leading axis ``event``.

    Parameters
    ----------
    x : the columns' values, in the columns' own units
    weight : expected number of events that each row stands for; may be negative
    process : index into ``processes``
    number : the event's identity (32 bits, see :func:`fold_number`), which the bootstrap and the folds derive from
    columns, processes : names, static
    """

    x: Float[Array, "event column"]
    weight: Float[Array, " event"]
    process: Int[Array, " event"]
    number: UInt32[Array, " event"]
    columns: tuple[str, ...] = static()
    processes: tuple[str, ...] = static()

    def __len__(self) -> int:
        return int(self.weight.shape[0])

    def index(self, names: Sequence[str]) -> list[int]:
        """Positions of the named columns; an unknown name raises with its nearest neighbour."""
        check_known(names, self.columns, "events", "column")
        return [self.columns.index(name) for name in names]

    def column(self, name: str) -> Float[Array, " event"]:
        """One column's values."""
        return self.x[:, self.index([name])[0]]

    def features(self, names: Sequence[str]) -> Float[Array, "event feature"]:
        """The named columns' values, in the order of ``names``."""
        return self.x[:, np.asarray(self.index(names))]

    def replace(self, values: Mapping[str, Float[Array, " event"]]) -> "Events":
        """The same events with the values of some existing columns replaced; works under ``jit`` and ``grad``."""
        where = self.index(list(values))
        import jax.numpy as jnp

        x = jnp.asarray(self.x)
        if where:
            x = x.at[:, np.asarray(where)].set(jnp.stack([jnp.asarray(v, x.dtype) for v in values.values()], axis=1))
        return Events(x, self.weight, self.process, self.number, self.columns, self.processes)

    def reweight(self, factor: Float[Array, " event"] | Scalar) -> "Events":
        """The same events with every weight multiplied by ``factor``."""
        import jax.numpy as jnp

        weight = jnp.asarray(self.weight) * factor
        return Events(self.x, weight, self.process, self.number, self.columns, self.processes)

    def take(self, index: Int[Array, " row"] | Bool[Array, " event"]) -> "Events":
        """The chosen rows, by index or by mask (a mask has a data-dependent shape: not under ``jit``)."""
        return replace(self, **{k: getattr(self, k)[index] for k in ARRAYS})

    def is_process(self, names: Sequence[str]) -> Bool[Array, " event"]:
        """True for the events of the named processes."""
        import jax.numpy as jnp

        check_known(names, self.processes, "events", "process")
        return jnp.isin(self.process, jnp.asarray([self.processes.index(n) for n in names], jnp.int32))


def make_events(
    columns: Mapping[str, Any],
    *,
    weight: Any = None,
    process: Any = None,
    number: Any = None,
    processes: Sequence[str] = ("data",),
    exact: bool = True,
) -> Events:
    """Events from arrays, lists or columns of tables: float32 columns, unit weights and running numbers unless given.

    ``exact=False`` takes columns whose values float32 does not tell apart, see :func:`check_exact`.

    Raises
    ------
    InputError : for what are no numbers (text, dates, masked values), when the lengths differ, a process index names no
        process, or float32 cannot hold a number (of weights, its square)
    """
    given = {name: _numbers(values, f"column '{name}'") for name, values in columns.items()}
    n = next((len(values) for values in given.values()), 0)
    for name, values in given.items():
        if len(values) != n:
            raise InputError(f"column '{name}'", f"{len(values)} rows", f"{n} rows, as in '{next(iter(given))}'")
    process = np.zeros(n, np.int32) if process is None else _whole(process, "process index")
    if len(process) and not (process.min() >= 0 and process.max() < len(processes)):
        raise InputError("process index", f"{process.min()} … {process.max()}", f"0 … {len(processes) - 1}")
    x = [_short(values, f"column '{name}'", 3.4e38) for name, values in given.items()]
    if exact:
        check_exact(given)
    weight = np.ones(n, np.float32) if weight is None else _short(_numbers(weight, "weights"), "weights", 1.8e19)
    number = fold_number(np.arange(n) if number is None else number)
    for name, values in {"weight": weight, "process": process, "number": number}.items():
        if len(values) != n:
            raise InputError(name, f"{len(values)} rows", f"{n} rows, as in the columns")
    return Events(
        np.stack(x, 1) if x else np.zeros((0, 0), "f4"),
        weight,
        process.astype(np.int32),
        number,
        tuple(columns),
        tuple(processes),
    )


def check_exact(columns: Mapping[str, np.ndarray], missing: float | None = None, *, where: str = "events") -> None:
    """Refuse a column whose values float32, in which events are kept, does not tell apart.

    Whole numbers must all be exact there, as those below 2²⁴ are. Others must spread (5 to 95 %) over many times the
    distance of neighbouring float32 numbers: eps × centre.

    Parameters
    ----------
    columns : values by name, as read or computed
    missing : value that stands for "not there", left out of the spread
    where : what is being checked, for the message

    Raises
    ------
    InputError : with the column and how many distinct values are left of how many

    >>> check_exact({"pt": np.array([20.5, 31.0])})
    """
    for name, values in columns.items():
        if values.dtype == np.float32 or values.dtype.kind not in "iuf" or values.dtype.itemsize < 4 or not values.size:
            continue
        with np.errstate(over="ignore"):
            short = values.astype(np.float32)
        whole = values.dtype.kind in "iu" or bool((values == np.floor(values)).all())
        if whole:
            lost = abs(values).max() > 2**24 and not np.array_equal(short.astype(np.float64), values.astype(np.float64))
            lost = lost or (values.dtype.kind in "iu" and abs(values.astype(np.float64)).max() > 2**53)
        else:
            there = values[np.isfinite(values) & (values != missing)]
            low, centre, high = np.percentile(there, (5, 50, 95)) if there.size else (0.0, 0.0, 0.0)
            step = abs(centre) * float(np.finfo(np.float32).eps)
            lost = 1e-6 * step < high - low < RESOLVED * step
        if lost:
            before, after = len(np.unique(values)), len(np.unique(short))
            raise InputError(
                f"{where}, column '{name}'",
                f"{before} distinct values of which float32 keeps {after}",
                "values that float32 tells apart" if after < before else "whole numbers that float32 holds",
                "make what you need of it under `derived`: a remainder (number % 2), a difference (time - 1.6e9), a scale",
            )


def _numbers(values: Any, name: str) -> np.ndarray:
    """One number a row, of any container; what is missing there is NaN."""
    if np.ma.is_masked(values):
        raise InputError(
            name, "masked values", "values that are there", "fill them in, with NaN where nothing is known"
        )
    try:
        given = np.asarray(values)
        if given.dtype.kind == "O" and not any(isinstance(value, (str, bytes)) for value in given.flat):
            whole = np.array(given.tolist())  # numbers of their own type, large event numbers to the last digit
            given = given.astype(np.float64) if whole.dtype.kind == "O" else whole
    except (TypeError, ValueError) as error:
        raise InputError(name, f"a {type(values).__name__} ({error})", "one number a row") from error
    if given.ndim != 1 or given.dtype.kind not in "biuf":
        kind = KINDS.get(given.dtype.kind, f"{given.dtype}")
        raise InputError(name, f"{kind} of shape {given.shape}", "one number a row")
    return given


def _whole(values: Any, name: str) -> np.ndarray:
    """One whole number a row."""
    given = _numbers(values, name)
    if given.dtype.kind == "f" and (bad := ~(np.isfinite(given) & (given == np.floor(given)))).any():
        seen = f"{int(bad.sum())} of {given.size} that are not whole (NaN, infinite or fractions)"
        raise InputError(name, seen, "whole numbers", "leave out the rows without one")
    return given


def _short(given: np.ndarray, name: str, largest: float) -> np.ndarray:
    """Numbers as float32; NaN and infinities are others' to judge."""
    if (beyond := (abs(given) > largest) & np.isfinite(given)).any():
        seen = f"{given[beyond][0]:g} in {int(beyond.sum())} of {given.size} rows"
        raise InputError(name, seen, f"numbers up to {largest:g}, which float32 holds", "use another unit")
    return given.astype(np.float32, copy=False)


def fold_number(number: Any) -> np.ndarray:
    """Event numbers as 32 bits: the number itself below 2³², else its two halves mixed.

    Two events then share bootstrap factors with probability 2⁻³²: harmless for an ensemble, and kept in one place.

    Raises
    ------
    InputError : for numbers that are not whole

    >>> fold_number(np.array([7, 2**32 - 1]))
    array([         7, 4294967295], dtype=uint32)
    """
    wide = _whole(number, "event number").astype(np.uint64)
    high = (wide >> np.uint64(32)) * np.uint64(0x9E3779B97F4A7C15)
    return (wide ^ (high >> np.uint64(32))).astype(np.uint32)


def concatenate(parts: Sequence[Events]) -> Events:
    """Events one after another; all with the same columns and processes."""
    first = parts[0]
    for part in parts[1:]:
        if (part.columns, part.processes) != (first.columns, first.processes):
            raise InputError("concatenate", f"columns {part.columns}", f"columns {first.columns}")
    x, weight, process, number = (np.concatenate([np.asarray(getattr(p, k)) for p in parts]) for k in ARRAYS)
    return Events(x, weight, process, number, first.columns, first.processes)
