"""Arrays shared by every floor: their types, the namespace that computes with them (NumPy's or JAX's), and trees of them.

JAX is imported where it computes, and no earlier: few fits of a binned likelihood need NumPy alone.
"""

import dataclasses
import functools
import importlib.util
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, dataclass_transform

import numpy as np

if TYPE_CHECKING:
    import jax
    from jaxtyping import Bool as Bool
    from jaxtyping import Float as Float
    from jaxtyping import Int as Int
    from jaxtyping import Integer as Integer
    from jaxtyping import PRNGKeyArray as PRNGKeyArray
    from jaxtyping import Shaped as Shaped
    from jaxtyping import UInt32 as UInt32

    Array: TypeAlias = jax.Array | np.ndarray
    Scalar: TypeAlias = jax.Array | np.ndarray | float | int
else:

    class _NumpyOrJax(type):
        def __instancecheck__(cls, x: Any) -> bool:
            return isinstance(x, np.ndarray) or is_jax(x)

    class Array(metaclass=_NumpyOrJax):
        """An array of NumPy, or of JAX."""

    Scalar = Array | float | int
    PRNGKeyArray = Array  # jaxtyping's own imports JAX
    if "jaxtyping" in sys.modules:  # as in the tests, which check shapes and types at each call
        from jaxtyping import Bool, Float, Int, Integer, Shaped, UInt32
    else:

        class Shaped:
            """What a shape is written with; jaxtyping itself takes a tenth of a second to import."""

            def __class_getitem__(cls, annotation: Any) -> Any:
                return annotation[0]

        Bool = Float = Int = Integer = UInt32 = Shaped


def is_jax(x: Any) -> bool:
    """Whether an array is JAX's, traced or not; before JAX is imported none is."""
    return not isinstance(x, np.ndarray | float) and "jax" in sys.modules and isinstance(x, sys.modules["jax"].Array)


def is_traced(x: Any) -> bool:
    """Whether an array, or one in a tree, stands for values that are not known yet."""
    if "jax" not in sys.modules or isinstance(x, np.ndarray | float):
        return False
    import jax

    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(x))


def namespace(*arrays: Any) -> Any:
    """``numpy`` where all are plain, else ``jax.numpy``: nothing is compiled for plain arrays.

    >>> import jax.numpy as jnp
    >>> namespace(np.ones(2), 1.0).__name__, namespace(np.ones(2), jnp.ones(2)).__name__
    ('numpy', 'jax.numpy')
    """
    if not any(is_jax(x) for x in arrays):
        return np
    import jax.numpy as jnp

    return jnp


F = TypeVar("F", bound=Callable[..., Any])


def jitted(function: F) -> F:
    """``jax.jit`` of a function, for which JAX is imported only when it is called."""

    @functools.cache
    def compiled() -> Any:
        import jax

        return jax.jit(function)

    return functools.wraps(function)(lambda *arguments: compiled()(*arguments))  # type: ignore[return-value]


FEW = 4096
"""Numbers up to which the standard library is as good as SciPy, which takes a fifth of a second to import."""


def _of_few(function: Callable[[float], float], name: str, x: Any) -> np.ndarray:
    """A function of each number, of the standard library or, where they are many, its namesake in SciPy."""
    values = np.asarray(x, np.float64)
    if values.size <= FEW:
        return np.array([function(v) for v in values.ravel().tolist()], np.float64).reshape(values.shape)
    import scipy.special

    return np.asarray(getattr(scipy.special, name)(values))


def _lgamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):  # at 0, −1, …, and beyond float64
        return math.inf


def ndtr(x: Any) -> np.ndarray:
    """Normal distribution function Φ of plain numbers.

    >>> ndtr([0.0, -1.0]).round(4).tolist()
    [0.5, 0.1587]
    """
    return _of_few(lambda v: 0.5 * math.erfc(-v / math.sqrt(2)), "ndtr", x)


def log_ndtr(x: Any) -> np.ndarray:
    """Logarithm of Φ of plain numbers; far below zero by its asymptotic series (Abramowitz and Stegun (1964), 26.2.12).

    >>> log_ndtr([0.0, -40.0]).round(4).tolist()
    [-0.6931, -804.6084]
    """

    def log_of(v: float) -> float:
        if v > 0:
            return math.log1p(-0.5 * math.erfc(v / math.sqrt(2)))
        if v > -30:
            return math.log(0.5 * math.erfc(-v / math.sqrt(2)))
        series = 1 - 1 / v**2 * (1 - 3 / v**2 * (1 - 5 / v**2 * (1 - 7 / v**2)))
        return -0.5 * v * v - math.log(-v * math.sqrt(2 * math.pi)) + math.log(series)

    return _of_few(log_of, "log_ndtr", x)


def ndtri(p: Any) -> np.ndarray:
    """Quantiles of the normal distribution, the inverse of :func:`ndtr`; ±∞ at 0 and 1.

    >>> ndtri([0.5, 0.975, 0.0]).round(3).tolist()
    [0.0, 1.96, -inf]
    """
    inverse = statistics.NormalDist().inv_cdf

    def quantile(v: float) -> float:
        return inverse(v) if 0 < v < 1 else {0.0: -math.inf, 1.0: math.inf}.get(v, math.nan)

    return _of_few(quantile, "ndtri", p)


def chdtrc(ndf: int, x: Any) -> np.ndarray:
    """P(χ² > x) of a whole number of degrees of freedom, by its finite sum (Abramowitz and Stegun (1964), 26.4.4, 26.4.5).

    >>> chdtrc(2, [0.0, 5.991]).round(4).tolist()
    [1.0, 0.05]
    """

    def tail(v: float) -> float:
        if not v > 0 or math.isinf(v):
            return math.nan if math.isnan(v) else float(v <= 0)
        log, first = math.log(v / 2), 0.5 * (ndf % 2)
        terms = (math.exp((j + first) * log - v / 2 - math.lgamma(j + first + 1)) for j in range(ndf // 2))
        return math.fsum([math.erfc(math.sqrt(v / 2)) * (ndf % 2), *terms])

    if np.size(x) * ndf > FEW:
        import scipy.special

        return np.asarray(scipy.special.chdtrc(ndf, x))
    return _of_few(tail, "chdtrc", x)


def gammaln(x: Array) -> Array:
    """Logarithm of Γ."""
    if not is_jax(x):
        values = np.asarray(x, np.float64)
        few = values.size <= FEW
        return _gammaln_of(values.tobytes()).reshape(values.shape) if few else _of_few(_lgamma, "gammaln", x)
    import jax.scipy.special

    return jax.scipy.special.gammaln(x)


@functools.lru_cache(64)
def _gammaln_of(numbers: bytes) -> np.ndarray:
    """Of some numbers: a likelihood asks for the same log n! at each point. Not to be written to."""
    found = _of_few(_lgamma, "gammaln", np.frombuffer(numbers))
    found.flags.writeable = False
    return found


def xlogy(x: Array, y: Array) -> Array:
    """X log y, 0 where x is 0."""
    if namespace(x, y) is np:
        with np.errstate(all="ignore"):
            return np.asarray(x * np.log(np.where(np.equal(x, 0), 1.0, y)))
    import jax.scipy.special

    return jax.scipy.special.xlogy(x, y)


def add_at(values: Array, where: Any, more: Array) -> Array:
    """The array with ``more`` added ``where``; indices may repeat. A plain one is changed in place."""
    if (xp := namespace(values, more)) is not np:
        return xp.asarray(values).at[where].add(more)
    plain = np.asarray(values)
    np.add.at(plain, where, np.asarray(more))
    return plain


def plus_diagonal(matrix: Array, diagonal: Array) -> Array:
    """The matrix with ``diagonal`` added to its own. A plain one is changed in place: no pass over all of its numbers."""
    if (xp := namespace(matrix, diagonal)) is not np:
        return matrix + xp.diag(diagonal)
    np.asarray(matrix).flat[:: len(diagonal) + 1] += diagonal
    return matrix


def static(**options: Any) -> Any:
    """A field of a :class:`Tree` that belongs to its structure, as names do: programs are compiled for its value."""
    return dataclasses.field(metadata={"static": True}, **options)


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(static, dataclasses.field))
class Tree:
    """Base of frozen dataclasses that JAX takes for trees of arrays, though JAX need not be imported to make one.

    Each subclass is a dataclass without further words; fields are leaves, or trees, unless they are :func:`static`. They
    compare by identity.

    >>> class Point(Tree):
    ...     x: Array
    ...     name: str = static(default="here")
    >>> import jax
    >>> jax.tree.map(lambda x: 2 * x, Point(1.0))
    Point(x=2.0, name='here')
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        brief = hasattr(cls, "_repr_html_")  # it shows itself in its own way
        dataclasses.dataclass(frozen=True, eq=False, init="__init__" not in vars(cls), repr=not brief)(cls)
        if (jax := sys.modules.get("jax")) is not None and hasattr(jax, "tree_util"):
            _register(cls, jax)
        else:
            _OnImportOfJax.waiting.append(cls)


def _register(cls: type[Tree], jax: Any) -> None:
    """Make a class known to JAX, with its fields in their order."""
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    structure = [f.name for f in fields if f.metadata.get("static")]
    leaves = [f.name for f in fields if f.name not in structure]
    keys = [jax.tree_util.GetAttrKey(k) for k in leaves]

    def flatten(tree: Any) -> tuple[list[Any], tuple[Any, ...]]:
        return [getattr(tree, k) for k in leaves], tuple(getattr(tree, k) for k in structure)

    def flatten_with_keys(tree: Any) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
        values, known = flatten(tree)
        return list(zip(keys, values, strict=True)), known

    def unflatten(known: tuple[Any, ...], values: Sequence[Any]) -> Any:
        made = object.__new__(cls)
        for k, value in (*zip(leaves, values, strict=True), *zip(structure, known, strict=True)):
            object.__setattr__(made, k, value)
        return made

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)


class _OnImportOfJax(MetaPathFinder):
    """Registers the trees that were made before JAX was imported, by whomever, when it is."""

    waiting: list[type[Tree]] = []  # noqa: RUF012

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "jax":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_and_register(module: ModuleType) -> None:
            load(module)
            while self.waiting:
                _register(self.waiting.pop(), module)

        spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec


if "jax" not in sys.modules:
    sys.meta_path.insert(0, _OnImportOfJax())
