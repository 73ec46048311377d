"""The user's own functions, held to what the analysis says of them, and the files that they read."""

import inspect
from pathlib import Path
from typing import Any

import jax
import numpy as np

from verax.analysis import FunctionScore, Named, Own, Reading, UserEffect, files, own_functions
from verax.errors import InputError
from verax.events import Events
from verax.run import own_code
from verax.systematics import limited


def find_functions(reading: Reading) -> None:
    """Find each function of the user's, which is imported, before any event is read.

    Raises
    ------
    InputError : for one that cannot be imported, and a score of the fold without folds
    """
    for function in own_functions(reading):
        function.found()
    if isinstance(reading.score, FunctionScore):
        reading.score.asked()


def try_functions(reading: Reading, events: Events) -> None:
    """Call each function of the user's on some events, and hold it to what the analysis says of it.

    Raises
    ------
    InputError : with the systematic and the function, where it fails, is not the identity at θ = 0, changes columns that
        it does not name, or where a score depends on the other events
    """
    columns = reading.columns
    again = {*(c for c, _ in columns.moving), *(columns.layout.recomputed if columns.layout else ())}
    for effect in reading.effects:
        _try_effect(effect, events, again)
    if reading.score is not None:
        own = reading.score.function if isinstance(reading.score, FunctionScore) else None
        where = f"summary.function '{own.name}'" if own else "summary.model"
        events = jax.tree.map(_read_only, events)
        half = events.take(np.arange(-(-len(events) // 2)))
        whole, part = (_called(own, where, reading.score, e) if own else reading.score(e) for e in (events, half))
        spread = float(np.ptp(whole[np.isfinite(whole)])) if np.isfinite(whole).any() else 0.0
        if not np.allclose(whole[: len(half)], part, rtol=1e-3, atol=1e-3 * spread, equal_nan=True):
            seen = "scores that are others when fewer events are given"
            raise InputError(
                where, seen, "a score that depends on its event alone", "take out means, ranks and the like"
            )


def _try_effect(effect: UserEffect, events: Events, again: set[str]) -> None:
    where = f"systematic '{effect.name}', function '{effect.function.name}'"
    events = jax.tree.map(_read_only, events)
    for theta in (0.0, 1.0, -1.0):
        moved = _called(effect.function, where, effect.function, events, theta)
        if not isinstance(moved, Events) or (moved.columns, len(moved)) != (events.columns, len(events)):
            seen = f"{len(moved)} events of {len(events)}" if isinstance(moved, Events) else type(moved).__name__
            raise InputError(where, seen, "all events with their columns, (Events, θ) → Events")
        moved = limited(events, moved, effect.processes)
        looked_at = [c for c in events.columns if c not in again]
        changed = [c for c in looked_at if not _same(moved.column(c), events.column(c), exact=theta != 0)]
        changed += [] if _same(moved.weight, events.weight, exact=theta != 0) else ["weight"]
        changed += [w for w in ("process", "number") if not np.array_equal(getattr(moved, w), getattr(events, w))]
        if theta == 0 and changed:
            raise InputError(where, f"a change of {', '.join(changed)} at θ = 0", "the same events at θ = 0")
        if others := [c for c in changed if c not in effect.changes]:
            seen = f"a change of {', '.join(others)} at θ = {theta:+g}"
            action = "name all that it changes under `changes`"
            raise InputError(where, seen, f"changes of {', '.join(effect.changes)} only", action)


def _read_only(values: Any) -> np.ndarray:
    """A copy that no function changes in place, which would change the nominal events."""
    copy = np.array(values)
    copy.setflags(write=False)
    return copy


def _same(varied: Any, nominal: Any, *, exact: bool) -> bool:
    """Equal values, to the last bit or up to the rounding of a few operations."""
    a, b = np.asarray(varied), np.asarray(nominal)
    scale = float(np.max(np.abs(b), initial=0, where=np.isfinite(b)))
    return np.array_equal(a, b, equal_nan=True) or (
        not exact and np.allclose(a, b, rtol=1e-5, atol=1e-6 * scale, equal_nan=True)
    )


def _called(own: Own, where: str, function: Any, *arguments: Any) -> Any:
    with own_code.watched(own.place):
        try:
            fold = {"fold": 0} if isinstance(function, FunctionScore) and function.asked() == "fold" else {}
            _check_arguments(own, where, len(arguments), **fold)
            return function(*arguments)
        except InputError as error:
            if "function" in error.where:
                raise
            raise InputError(f"{where}: {error.where}", error.got, error.expected, error.action) from error
        except (Exception, SystemExit) as error:
            seen = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(
                where, seen, "a function that can be called on events", "see the key's description"
            ) from error


def _check_arguments(own: Own, where: str, number: int, **named: int) -> None:
    """Refuse a function of other arguments before it is called, where it says which it has."""
    try:
        signature = inspect.signature(own.found())
    except ValueError:  # written in C
        return
    try:
        signature.bind(*range(number), **named)
    except TypeError as error:
        expected = "(Events, θ) → Events" if number == 2 else "(x), (x, fold) or (events) → score"
        raise InputError(where, f"a function of {signature} ({error})", f"a function {expected}") from error


def undeclared(reading: Reading, folder: Path) -> list[str]:
    """A line on the files that a function of the user's opens, or names, though `inputs` does not."""
    known, base, lines = [Path(p) for p in files(reading)], reading.base.resolve(), []
    for function in own_functions(reading):
        found = own_code.undeclared(function.place, base, known, folder, texts=isinstance(function, Named))
        if found:
            told = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
            lines.append(f"function '{function.name}' uses {told}, which `inputs` does not name: changes go unseen")
    return list(dict.fromkeys(lines))
