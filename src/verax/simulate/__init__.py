"""Problems with a known answer: events of any number at any parameter values, and what is exactly known of them."""

from verax.simulate.problem import AbstractProblem

__all__ = ["AbstractProblem"]
