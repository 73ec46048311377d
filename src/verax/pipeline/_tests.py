"""The section on limits and significances, where an analysis asks for them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from verax.infer import FEW
from verax.report import Section, limit_table, significance_table
from verax.results import Status
from verax.run import in_words, plain

from ._infer import Measured


def tests(measured: Mapping[str, Measured], poi: str) -> Section | None:
    """Present the limit and the significance of each data set, by title; None where there are none."""
    shown, content = [], dict[str, Any]()
    for title, m in measured.items():
        found: dict[str, Any] = {}
        if m.limit is not None:
            of_data = m.kind != "expected"  # Asimov data hold a signal: theirs is no expected limit
            table, found["limit"] = limit_table(m.limit, poi, observed=of_data), in_words(plain(m.limit))
            shown.append(replace(table, title=f"{title}: {table.title}"))
        if m.significance is not None:
            table, found["significance"] = significance_table(m.significance, poi), in_words(plain(m.significance))
            shown.append(replace(table, title=f"{title}: {table.title}"))
        content[m.kind] = found
    if not shown:
        return None
    text = "Expected limits are those without signal; the expected significance is that of the expected signal."
    return Section("Tests", text, {}, shown, {"tests": content})


def doubts(m: Measured) -> list[str]:
    """Say which limit or significance has failed, or is asymptotic with too few events."""
    found, statuses = list[str](), dict[str, Any]()
    if m.significance:
        statuses["significance"] = m.significance.status
    if m.limit:
        statuses["limit"] = m.limit.status if m.kind != "expected" else np.max(m.limit.expected_status)
    for what, status in statuses.items():
        if int(status) > Status.AT_BOUND:
            found.append(f"{what} ended with status {Status(int(status)).name}")
    for what, verb, result in (
        ("limit is inexact, in a counting experiment too low by up to 8 % with 10", "limit", m.limit),
        ("significance is inexact, in a counting experiment too large by 0.1 with 10", "significance", m.significance),
    ):
        if result and float(result.events) < FEW:
            few = f"only {float(result.events):.1f} effective events: the asymptotic {what}"
            found.append(f"{few}; verax {verb} workspace.json --toys N throws pseudo-experiments")
    return found
