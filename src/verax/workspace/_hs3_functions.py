"""Functions of an HS3 file as formulas of parameters: ``generic_function``, ``sum`` and ``product``, each of others too."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from verax.errors import InputError, check_known
from verax.model import Formula, Penalty, formula

from ._modifiers import Rate
from ._schema import LARGEST, Json

PARTS = {"sum": ("summands", " + "), "product": ("factors", " * ")}
"""Functions of a list of others and of numbers, and what joins these."""


MOST = 1000
"""Functions that one may be made of, each as often as it occurs: it is written out in full."""


class Functions:
    """The functions of a file, those that multiply samples, and the parameters that they are of."""

    def __init__(self, table: Mapping[str, Json]) -> None:
        self.table = table
        self.places: dict[str, list[tuple[str, str]]] = {}
        self.made: dict[str, Formula] = {}
        self.parts = 0

    def __contains__(self, name: object) -> bool:
        return name in self.table

    def kind(self, name: str) -> str:
        """The type of a function."""
        return str(self.table[name].get("type"))

    def multiply(self, name: str, channel: str, sample: str) -> None:
        """Let a function multiply a sample in a channel.

        Raises
        ------
        InputError : for a function that is not understood, or multiplies the sample already
        """
        self.formula(name)
        places = self.places.setdefault(name, [])
        if (channel, sample) in places:
            raise InputError(f"distribution '{channel}', sample '{sample}'", f"function '{name}' twice", "once")
        places.append((channel, sample))

    def formula(self, name: str) -> Formula:
        """A function of parameters alone; a name that is no function's is a parameter.

        Raises
        ------
        InputError : for a function that is not understood
        """
        if name not in self.made:
            self.parts = 0
            try:
                text = ast.unparse(self._tree(name, ()))
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"function '{name}'", f"{error.args[0]}", "an expression of parameters") from None
            self.made[name] = formula(name, text)
        return self.made[name]

    @property
    def arguments(self) -> list[str]:
        """Parameters of all functions that were asked for."""
        return list(dict.fromkeys(p for f in self.made.values() for p in f.parameters))

    @property
    def rates(self) -> list[Rate]:
        """The functions that multiply samples."""
        return [Rate(self.formula(name), places) for name, places in self.places.items()]

    def _tree(self, name: str, above: tuple[str, ...]) -> ast.expr:
        where = f"function '{name}'"
        self.parts += 1
        if self.parts > MOST:
            raise InputError(f"function '{(*above, name)[0]}'", f"more than {MOST} functions in it", "fewer")
        if name in above:
            raise InputError(where, f"itself, by way of {', '.join(above)}"[:120], "parameters and other functions")
        if name not in self.table:
            if not name.isidentifier():
                raise InputError(where, f"'{name}'", "a name of letters, digits and _")
            return ast.Name(name)
        entry = self.table[name]
        kind = self.kind(name)
        if kind == "generic_function":
            check_known(entry, ("name", "type", "expression"), where, "key")
            if not isinstance(entry.get("expression"), str):
                raise InputError(f"{where}, expression", f"{entry.get('expression')!r}"[:80], "text")
            tree = ast.parse(entry["expression"].replace("^", "**").strip(), mode="eval").body
        elif kind in PARTS:
            key, joint = PARTS[kind]
            check_known(entry, ("name", "type", key), where, "key")
            parts = entry.get(key)
            plain = isinstance(parts, Sequence) and not isinstance(parts, str) and all(map(_is_part, parts))
            if not plain or not parts:
                raise InputError(f"{where}, {key}", f"{parts!r}"[:80], "a list of names and numbers")
            trees = [self._tree(p, (*above, name)) if isinstance(p, str) else ast.Constant(float(p)) for p in parts]
            return ast.parse(joint.join(f"({ast.unparse(t)})" for t in trees), mode="eval").body
        else:
            raise InputError(where, f"type '{kind}'"[:80], "'generic_function', 'sum' or 'product'")
        replaced: ast.expr = _Replace(lambda inner: self._tree(inner, (*above, name)), self.table).visit(tree)
        return replaced


class _Replace(ast.NodeTransformer):
    """Puts functions in the place of their names."""

    def __init__(self, tree_of: Any, table: Mapping[str, Json]) -> None:
        self.tree_of, self.table = tree_of, table

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.tree_of(node.id) if node.id in self.table else node


def _is_part(value: Any) -> bool:
    return isinstance(value, str) or is_number(value)


def is_number(value: Any) -> bool:
    """Whether it is a finite number, up to what squares of fit in float64."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST


def penalty(entry: Json, functions: Functions, number: Any) -> Penalty:
    """A Gaussian or multivariate normal distribution of functions around numbers; ``number`` reads these.

    Raises
    ------
    InputError : for anything else
    """
    where, one = f"distribution '{entry['name']}'", entry["type"] == "gaussian_dist"
    keys = ("x", "mean", "sigma") if one else ("x", "mean", "covariances")
    check_known(entry, ("name", "type", *keys), where, "key")
    x, mean, width = (entry.get(k) for k in keys)
    lists: list[Any] = [[x], [mean], [[(number(width) or 0.0) ** 2]]] if one else [x, mean, width]
    sized = all(isinstance(v, list) and len(v) == len(lists[0]) for v in lists)
    if not sized or any(not isinstance(row, list) or len(row) != len(lists[0]) for row in lists[2]):
        raise InputError(where, "'x', 'mean' and 'covariances' of different sizes", "a list each, of one size")
    x, mean, rows = lists
    formulas, centres = [], []
    for a, b in zip(x, mean, strict=True):
        moving = [v for v in (a, b) if number(v) is None or v in functions]
        centre = [number(v) for v in (a, b) if v not in moving]
        if len(moving) != 1 or not isinstance(moving[0], str):
            raise InputError(where, f"{a!r} around {b!r}"[:120], "a function or a parameter around a number")
        formulas.append(functions.formula(moving[0]))
        centres.append(float(centre[0]))
    for row in rows:
        for value in row:
            if number(value) is None or isinstance(value, str):
                raise InputError(f"{where}, covariances", f"{value!r}"[:80], "numbers")
    return Penalty(tuple(formulas), tuple(centres), tuple(tuple(float(v) for v in row) for row in rows))
