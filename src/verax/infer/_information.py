"""What an experiment is expected to know: the Hessian of −log L on its Asimov data (EPJC 71 (2011) 1554, section 3)."""

from verax.arrays import Array, Float, namespace
from verax.model import AbstractLikelihood, float64_on_host
from verax.parameters import Params, movable


@float64_on_host
def fisher_information(model: AbstractLikelihood, params: Params) -> Float[Array, "parameter parameter"]:
    """Compute the Fisher information of all parameters, constraint terms included; can be differentiated.

    Parameters
    ----------
    model : the likelihood
    params : true values; parameters that are not named are at their initial values

    Raises
    ------
    InputError : for an unknown parameter, with its nearest neighbour

    >>> import jax
    >>> from verax.model import example_model
    >>> model, _ = example_model()
    >>> jax.eval_shape(lambda mu: fisher_information(model, {"mu": mu}), 1.0).shape
    (3, 3)
    """
    return model.derivatives(model.vector(params), model.asimov(params)).hessian


@float64_on_host
def expected_error(
    model: AbstractLikelihood, name: str, params: Params | None = None, *, fixed: Params | None = None
) -> Float[Array, ""]:
    """Compute the expected uncertainty of one parameter, √[(information)⁻¹]; can be differentiated: networks can learn it.

    Parameters
    ----------
    model : the likelihood
    name : the parameter
    params : true values, as in :func:`fisher_information`
    fixed : parameters that are known to have these values

    Raises
    ------
    InputError : for a parameter that is unknown or fixed, or a value that is not finite

    >>> import jax
    >>> from verax.model import example_model
    >>> model, _ = example_model()
    >>> error = jax.jit(lambda mu: expected_error(model, "mu", {"mu": mu}))  # as training compiles it
    >>> round(float(error(1.0)), 2)
    0.58
    """
    movable(model.parameters, [name], "expected error", fixed)
    fixed = fixed or {}
    matrix = fisher_information(model, {**(params or {}), **fixed})
    xp = namespace(matrix)
    others = [i for i, p in enumerate(model.parameters) if p.name not in (name, *fixed) and not p.fixed]
    for i in others:  # profiling parameter i: I ← I − I_i I_iᵀ / I_ii (Schur complement)
        matrix = matrix - xp.outer(matrix[:, i], matrix[i]) / matrix[i, i]
    i = model.names.index(name)
    return xp.asarray(1 / xp.sqrt(matrix[i, i]))
