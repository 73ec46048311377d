"""Names of the groups that a likelihood forms by itself, and of the conventions for simulation statistics."""

from verax.errors import check_known

FLOATING = "floating normalisations"
SIMULATION = "simulation statistics"
UNCORRELATED = "uncorrelated shapes"
CONVENTIONS = ("histfactory", "combine")


def is_combine(convention: str) -> bool:
    """Whether simulation errors follow the normalisations of the processes ("combine") or not ("histfactory").

    Raises
    ------
    InputError : an unknown convention
    """
    check_known([convention], CONVENTIONS, "simulation statistics", "convention")
    return convention == "combine"
