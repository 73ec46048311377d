"""Are there enough events for asymptotic formulae (EPJC 71 (2011) 1554), and does the interval cover at the fit?"""

from collections.abc import Callable

import numpy as np

from verax.arrays import PRNGKeyArray
from verax.infer import FEW, Campaign, Estimate, campaign, effective_events, interval
from verax.report import number, with_ends, with_error
from verax.results import Interval, Status

from ._subject import Subject
from ._verdict import Finding, Place, Severity, Verdict, judged, not_made, percent

ERRORS = 3.0
"""Binomial errors from nominal: beyond, coverage is another."""

FAILED = 0.01
"""Share of failed toys that deserves a word."""

BIASED = 0.2
"""Mean of pulls, in σ: coverage falls by a percent and a half."""


def few_events(subject: Subject) -> Verdict:
    """How many events tell the two ends of the interval apart, and its upper end from no signal."""
    model, data, poi, found = subject.model, subject.data, subject.poi, list[Finding]()
    ends = interval(model, data, poi, best=subject.best, beyond=True)
    low, high = float(ends.low), float(ends.high)
    why = f"the interval of {poi} ended with status {Status(int(ends.status)).name}: {with_ends(ends)}"
    if not (np.isfinite([low, high]).all() and ends.up > 0):
        return not_made("few events", why)
    params = subject.best.params
    rest = effective_events(model, data, {**params, poi: low}, poi, high)
    least, between = rest, "the ends of the interval"
    bounds = next(p.bounds for p in model.parameters if p.name == poi)
    if bounds[0] <= 0 < high:
        null = effective_events(model, data, {**params, poi: 0.0}, poi, high)
        least, between = min((rest, between), (null, "no signal and the upper end"))
    if not least > 0:  # NaN where expectations lie at other places
        return not_made("few events", f"nothing tells {between} apart; {why}")
    if least < FEW:
        text = f"{number(least, 1)} effective events tell {between} apart"
        found.append(Finding(Place(poi), text, Severity.WARNING, {"events": least}))
    return judged(
        "few events",
        f"{number(least, 1)} effective events tell {between} apart; {poi} = {with_ends(ends)}",
        found,
        f"{FEW:g} effective events: below, limits are too low by 8 % and more (Poisson sums; see effective_events)",
        "quote toys: verax limit --toys N, verax interval --method feldman-cousins",
    )


def coverage_at_the_fit(
    subject: Subject, key: PRNGKeyArray, n: int, progress: Callable[[int, int, int], None] | None = None
) -> Verdict:
    """Coverage of the 68.27 % interval, and pulls, of toys at the best fit."""
    from verax.check import coverage

    model, poi, best = subject.model, subject.poi, subject.best
    truth = best.params
    gamma = model.profiled(truth, subject.data)

    def report(so_far: Campaign) -> None:
        if progress is not None:
            progress(so_far.n, n, so_far.failed)

    done = campaign(key, model, truth, n, Estimate(poi), batch=2048, profiled=gamma, progress=report)
    value, sigma, low, high = done.values.T
    covered = coverage(Interval(poi, 0.6827, value, low, high, done.status), truth[poi])
    counts = done.status <= Status.AT_BOUND
    fine, bounded = counts & (sigma > 0), int((counts & ~(sigma > 0)).sum())
    pull = (value[fine] - truth[poi]) / sigma[fine]
    found, count = list[Finding](), max(int(fine.sum()), 2)
    mean, mean_error = float(pull.mean()) if pull.size else np.nan, float(pull.std()) / np.sqrt(count)
    numbers = {"coverage": covered.fraction, "error": covered.error, "toys": float(n), "failed": float(done.failed)}
    numbers |= {"bias": mean, "bias_error": mean_error, "width": covered.width}
    shown = with_error(covered.fraction, covered.error)
    if covered.n and abs(covered.pull) > ERRORS:
        under = covered.pull < 0
        text = f"{shown} in place of 0.683: the interval {'covers too rarely' if under else 'is wider than it says'}"
        found.append(Finding(Place(poi), text, Severity.WARNING if under else Severity.NOTE, numbers))
    if pull.size and bounded <= FAILED * n and abs(mean) > BIASED + ERRORS * mean_error:
        text = f"mean of (estimate − truth)/σ is {with_error(mean, mean_error)}"
        found.append(Finding(Place(poi), text, Severity.NOTE, numbers))
    if done.failed > FAILED * n:
        text = f"{done.failed} of {n} fits failed"
        found.append(Finding(Place(poi), text, Severity.WARNING, numbers))
    return judged(
        "coverage at the fit",
        f"{shown} of {n} toys ({done.failed} failed) at {poi} = {number(truth[poi], 3)}; mean pull "
        f"{with_error(mean, mean_error)}" + f", without {bounded} estimates at a bound" * (bounded > 0),
        found,
        f"{ERRORS:g} binomial errors from 0.683 (Neyman 1937); mean pull {BIASED:g} σ; {percent(FAILED)} failed fits",
        "quote an interval by toys: verax interval --method feldman-cousins; repeat with --toys 10000",
    )
