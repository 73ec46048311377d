"""Expressions of events' columns."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from verax.data import Expression, expression
from verax.events import Events


def names(*texts: str | None) -> tuple[str, ...]:
    """Columns that some expressions read, in order."""
    return tuple(dict.fromkeys(name for text in texts if text for name in expression(text).names))


def evaluate(text: str, events: Events) -> Any:
    """An expression of the events' columns."""
    formula = expression(text)
    return formula(_columns(formula, events))


def passed(text: str, events: Events) -> Any:
    """Which events pass a selection."""
    formula = expression(text)
    return formula.passed(_columns(formula, events))


def _columns(formula: Expression, events: Events) -> dict[str, Any]:
    return {name: events.column(name) for name in formula.names}


def with_derived(events: Events, derived: Sequence[tuple[str, str]]) -> Events:
    """The events with ``derived`` columns computed, each from those before it."""
    for name, text in derived:
        value = jnp.broadcast_to(jnp.asarray(evaluate(text, events), jnp.float32), (len(events),))
        events = events.replace({name: value})
    return events
