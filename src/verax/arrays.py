"""Arrays shared by every floor: their types, the namespace that computes with them (NumPy's or JAX's), and trees of them.

JAX is imported where it computes, and no earlier: few fits of a binned likelihood need NumPy alone.
"""

import dataclasses
import functools
import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, dataclass_transform

import numpy as np
import scipy.special

if TYPE_CHECKING:
    import jax
    from jaxtyping import PRNGKeyArray as PRNGKeyArray

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


def gammaln(x: Array) -> Array:
    """Logarithm of Γ."""
    if not is_jax(x):
        return np.asarray(scipy.special.gammaln(x))
    import jax.scipy.special

    return jax.scipy.special.gammaln(x)


def xlogy(x: Array, y: Array) -> Array:
    """X log y, 0 where x is 0."""
    if namespace(x, y) is np:
        return np.asarray(scipy.special.xlogy(x, y))
    import jax.scipy.special

    return jax.scipy.special.xlogy(x, y)


def add_at(values: Array, where: Any, more: Array) -> Array:
    """The array with ``more`` added ``where``; indices may repeat. A plain one is changed in place."""
    if (xp := namespace(values, more)) is not np:
        return xp.asarray(values).at[where].add(more)
    plain = np.asarray(values)
    np.add.at(plain, where, np.asarray(more))
    return plain


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
        dataclasses.dataclass(frozen=True, eq=False, init="__init__" not in vars(cls))(cls)
        if (jax := sys.modules.get("jax")) is not None and hasattr(jax, "tree_util"):
            _register(cls, jax)
        else:
            _OnImportOfJax.waiting.append(cls)


def _register(cls: type[Tree], jax: Any) -> None:
    """Make a class known to JAX, with its fields in their order."""
    structure = [f.name for f in dataclasses.fields(cls) if f.metadata.get("static")]
    leaves = [f.name for f in dataclasses.fields(cls) if f.name not in structure]
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
