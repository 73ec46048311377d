"""Names of the groups that a likelihood forms by itself, and of the conventions for simulation statistics.

One γ per bin: Conway, arXiv:1103.0354; HistFactory, CERN-OPEN-2012-016; CMS's Combine, arXiv:2404.06614.
"""

from verax.errors import check_known

FLOATING = "floating normalisations"
SIMULATION = "simulation statistics"
UNCORRELATED = "uncorrelated shapes"
CONVENTIONS = ("histfactory", "combine")


def is_combine(convention: str) -> bool:
    """Decide whether simulation errors follow the normalisations of the processes ("combine") or not ("histfactory").

    Parameters
    ----------
    convention : "combine" or "histfactory"

    Raises
    ------
    InputError : for an unknown convention, with the nearest name

    >>> is_combine("combine"), is_combine("histfactory")
    (True, False)
    """
    check_known([convention], CONVENTIONS, "simulation statistics", "convention")
    return convention == "combine"
