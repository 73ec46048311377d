"""Arrays of NumPy or JAX, functions of the normal distribution without SciPy, and trees made before JAX is there."""

import pickle
import subprocess
import sys

import jax
import numpy as np
import pytest
import scipy.special

from verax.arrays import Array, Tree, chdtrc, gammaln, is_traced, log_ndtr, namespace, ndtr, ndtri, static

X = np.concatenate([np.linspace(-37.0, 8.0, 181), [0.0, -30.0, -29.9999, -40.0, -100.0, -1e4]])
P = np.concatenate([np.logspace(-300, -1, 100), np.linspace(0.1, 0.9, 33), [0.5, 0.975, 1 - 1e-12, 0.0, 1.0]])


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (gammaln, np.concatenate([np.arange(0.0, 300.0), np.logspace(-8, 6, 100)])),
        (ndtr, X),
        (log_ndtr, X),
        (ndtri, P),
    ],
)
def test_functions_of_few_numbers_are_those_of_scipy(function, x):
    """To 1e-14 and, in the tails of Φ, what the rounding of x²/2 leaves; log Γ is zero at 1 and 2."""
    expected, found = getattr(scipy.special, function.__name__)(x), function(x)
    tail = 4e-16 * x**2 if function in (ndtr, log_ndtr) else 0.0
    finite = np.isfinite(expected)
    assert (found == expected)[~finite].all()
    found, expected, tail = (np.broadcast_to(v, finite.shape)[finite] for v in (found, expected, tail))
    assert (abs(found - expected) <= (1e-14 + tail) * abs(expected) + 2e-15 * (function is gammaln)).all()


@pytest.mark.parametrize("ndf", [1, 2, 3, 10, 41, 300])
def test_the_tail_of_few_chi_squares_is_that_of_scipy(ndf):
    x = np.concatenate([[0.0, np.inf, np.nan, 1e-300, 1e-3], ndf * np.array([0.1, 0.9, 1.0, 1.5, 3.0, 20.0])])
    np.testing.assert_allclose(chdtrc(ndf, x), scipy.special.chdtrc(ndf, x), rtol=1e-12, atol=1e-300)
    np.testing.assert_array_equal(chdtrc(ndf, np.ones(5000)), scipy.special.chdtrc(ndf, np.ones(5000)))


def test_a_logarithm_of_gamma_that_is_kept_is_not_written_to():
    first = gammaln(np.array([3.0, 4.0]))
    with pytest.raises(ValueError, match="read-only"):
        first += 1.0
    np.testing.assert_allclose(gammaln(np.array([[3.0], [4.0]])), np.log([[2.0], [6.0]]), rtol=1e-14)


def test_many_numbers_have_the_same_logarithm_of_gamma_as_few():
    x = np.linspace(1.0, 500.0, 5000)
    np.testing.assert_allclose(gammaln(x)[:100], gammaln(x[:100]), rtol=1e-14, atol=2e-15)


class Made(Tree):
    x: Array
    name: str = static(default="here")


def test_a_tree_made_after_jax_is_one_of_arrays_and_keeps_what_is_static():
    tree = Made(np.ones(2), "there")
    leaves, structure = jax.tree.flatten(tree)
    assert len(leaves) == 1
    assert jax.tree.unflatten(structure, [2.0]).name == "there"
    assert jax.tree.structure(Made(1.0)) != structure
    assert jax.tree_util.tree_flatten_with_path(tree)[0][0][0] == (jax.tree_util.GetAttrKey("x"),)
    again = pickle.loads(pickle.dumps(tree))
    assert again.name == "there"
    assert again != tree  # compares by identity
    with pytest.raises(AttributeError):
        tree.x = 1.0


def test_a_tree_made_before_jax_is_one_when_it_comes():
    code = """
import sys
import numpy as np
from verax.arrays import Array, Tree, is_traced, static
class Made(Tree):
    x: Array
    name: str = static(default="here")
tree = Made(np.ones(3))
assert "jax" not in sys.modules and not is_traced(tree)
import jax
class Later(Made):
    y: Array = 1.0
made = jax.jit(lambda t: jax.tree.map(lambda x: 2 * x, t))(tree)
assert made.name == "here" and made.x.sum() == 6, made
assert len(jax.tree.leaves(Later(1.0))) == 2
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_traced_is_known():
    seen = []
    jax.jit(lambda x: seen.append((is_traced(x), is_traced(Made(x)), namespace(x).__name__)) or x)(1.0)
    assert seen == [(True, True, "jax.numpy")]
    assert not any(map(is_traced, (1.0, np.ones(2), jax.numpy.ones(2), Made(np.ones(2)))))
