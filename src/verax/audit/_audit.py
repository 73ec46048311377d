"""The checks in their order, and what each of them needs."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from verax.arrays import PRNGKeyArray
from verax.errors import InputError, check_count
from verax.infer import fit
from verax.model import BinnedLikelihood, Data
from verax.parameters import movable

from ._asymptotic import coverage_at_the_fit, few_events
from ._fit import convergence, goodness_of_fit, second_minima
from ._nuisances import over_constraints, parameters_without_effect, pulls
from ._pruning import pruning
from ._run import expected_at, variance_of_run, verdicts_of_run
from ._simulation import empty_bins, few_simulated_events
from ._subject import Subject
from ._twice import gamma_twice, simulation_rows_twice, systematic_twice
from ._variations import large_variations, one_sided, same_side
from ._verdict import Verdict, not_made


class Check(NamedTuple):
    """A check by its name, and which of "fit", "data" and "poi" it needs."""

    name: str
    made: Callable[[Subject], Verdict]
    needs: str = ""


CHECKS = (
    Check("convergence", convergence),
    Check("second minima", second_minima, "fit"),
    Check("goodness of fit", goodness_of_fit, "fit data"),
    Check("pulls", pulls, "fit data"),
    Check("over-constraints", over_constraints, "fit"),
    Check("parameters without effect", parameters_without_effect),
    Check("one-sided systematics", one_sided),
    Check("same-side systematics", same_side),
    Check("large variations", large_variations),
    Check("few simulated events", few_simulated_events),
    Check("empty bins", empty_bins),
    Check("gamma twice", gamma_twice),
    Check("simulation rows twice", simulation_rows_twice),
    Check("systematic twice", systematic_twice),
    Check("few events", few_events, "fit poi"),
    Check("pruning", pruning, "fit poi"),
)


def audit(
    model: BinnedLikelihood,
    data: Data,
    poi: str = "",
    *,
    key: PRNGKeyArray | None = None,
    n_toys: int = 0,
    results: Mapping[str, Any] | None = None,
    record: Mapping[str, Any] | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> tuple[Verdict, ...]:
    """Check a measurement as its referee would (what ValidateDatacards.py of Combine, arXiv:2404.06614, asks, and more).

    Parameters
    ----------
    model : the likelihood
    data : one data set; expected ones pull nothing, which is said
    poi : name of the parameter of interest; without one, what is about it is not checked
    key : random key of the toys
    n_toys : toys at the best fit, whose intervals' coverage is tested; 0 leaves it out, and says so
    results : content of ``results.json`` of the run that made the likelihood, whose own checks are then made as well
    record : content of its ``record.json``
    progress : called with the numbers of toys done, in total and failed

    Raises
    ------
    InputError : a parameter that is unknown (nearest name given) or fixed, toys without a key, a batch of data sets, or
        data that do not fit the model

    >>> from verax.model import example_model
    >>> {v.name: v.severity.word for v in audit(*example_model(), "mu") if v.severity.word != "ok"}
    {'coverage at the fit': 'not made'}
    """
    check_count(n_toys, 0, "audit, n_toys")
    movable(model.parameters, [poi] if poi else [], "audit")
    if data.is_batch:
        raise InputError("audit", "a batch of data sets", "one data set", "choose one of them")
    if n_toys and key is None:
        raise InputError("audit", "toys without a key", "key=jax.random.key(seed)")
    known = () if results is None else (variance_of_run(results, model), expected_at(results))
    subject = Subject(model, data, poi, fit(model, data), *known)
    verdicts = [
        check.made(subject) if not (why := _missing(check, subject)) else not_made(check.name, why) for check in CHECKS
    ]
    verdicts.append(_coverage(subject, key, n_toys, progress))
    if results is not None:
        verdicts += verdicts_of_run(results, record or {}, subject)
    return tuple(verdicts)


def _missing(check: Check, subject: Subject) -> str:
    """Why a check cannot be made; nothing where it can."""
    if "fit" in check.needs and not subject.fitted:
        return "the fit failed"
    if "data" in check.needs and subject.expected:
        return "the data are expected ones: they pull nothing, and fit"
    if "poi" in check.needs and not subject.poi:
        return "there is no parameter of interest"
    return ""


def _coverage(
    subject: Subject, key: PRNGKeyArray | None, n: int, progress: Callable[[int, int, int], None] | None
) -> Verdict:
    name = "coverage at the fit"
    if why := _missing(Check(name, convergence, "fit poi"), subject):
        return not_made(name, why)
    if not n or key is None:
        return not_made(name, "no toys were made", "--toys N, in Python n_toys=N and key=jax.random.key(seed)")
    return coverage_at_the_fit(subject, key, n, progress)
