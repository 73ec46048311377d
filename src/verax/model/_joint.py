"""Likelihoods of independent observations that share parameters: log L adds, and each constraint counts once."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from verax.arrays import Array, Bool, Float, Int, PRNGKeyArray, Tree, add_at, namespace, static
from verax.errors import InputError
from verax.parameters import Parameter, Params

from ._data import Data, map_places
from ._likelihood import AbstractLikelihood, Derivatives, EvenParts
from ._penalty import Penalty


class JointPlace(Tree):
    """Places of the parts' observations, and the number of observations of each part (static)."""

    parts: tuple[Any, ...]
    sizes: tuple[int, ...] = static()


class JointLikelihood(AbstractLikelihood):
    """Product of likelihoods, binned or not; parameters of the same name are the same parameter.

    Its data are the parts' one after the other: :meth:`join` makes them, :meth:`split` takes them apart.

    Parameters
    ----------
    parts : the likelihoods; a common parameter has the first one's group, and may be where all their bounds allow
    parameters : instead of theirs, under the same names and with the same constraints: other bounds or initial values, or
        in another order

    Raises
    ------
    InputError : no part, a common parameter with different constraints or initial values, or other ``parameters`` than
        theirs
    """

    parts: tuple[AbstractLikelihood, ...]
    parameters: tuple[Parameter, ...] = static()

    def __init__(self, parts: Sequence[AbstractLikelihood], parameters: tuple[Parameter, ...] | None = None) -> None:
        table: dict[str, Parameter] = {}
        for p in (p for part in parts for p in part.parameters):
            first = table.setdefault(p.name, p)
            where = f"joint likelihood, parameter '{p.name}'"
            if first.constraint != p.constraint:
                raise InputError(
                    where, f"{first.constraint} and {p.constraint}", "one of them", "rename one of the two"
                )
            if first.init != p.init:
                advice = "give both the same, or rename one where they are not the same parameter"
                raise InputError(where, f"init {first.init:g} and {p.init:g}", "one of them", advice)
            both = max(first.bounds[0], p.bounds[0]), min(first.bounds[1], p.bounds[1])
            table[p.name] = replace(first, bounds=both)
        if not table:
            raise InputError("joint likelihood", "no parameters", "one likelihood or more")
        given = tuple(table.values()) if parameters is None else tuple(parameters)
        if sorted(p.name for p in given) != sorted(table):
            got = f"parameters {', '.join(p.name for p in given)}"
            raise InputError("joint likelihood", got, f"each of {', '.join(table)} once")
        for p in given:
            if p.constraint != (own := table[p.name].constraint):
                where = f"joint likelihood, parameter '{p.name}'"
                raise InputError(where, f"constraint {p.constraint}", f"{own}, as in the parts", "change it there")
        object.__setattr__(self, "parts", tuple(parts))
        object.__setattr__(self, "parameters", given)

    @property
    def in_closed_form(self) -> bool:
        """Whether each part is."""
        return all(part.in_closed_form for part in self.parts)

    @property
    def penalties(self) -> tuple[Penalty, ...]:
        """Those of the parts; an equal one of several parts counts once, as a constraint does."""
        return tuple(dict.fromkeys(p for part in self.parts for p in part.penalties))

    @property
    def convex_in(self) -> tuple[str, ...]:
        """Parameters of which this is known of each likelihood that has them."""
        unknown = {n for part in self.parts for n in part.names if n not in part.convex_in}
        return tuple(n for n in self.names if n not in unknown)

    @property
    def _index(self) -> list[Int[np.ndarray, " own"]]:
        """Of each part, the positions of its parameters among all."""
        return [np.array([self.names.index(n) for n in part.names], int) for part in self.parts]

    @property
    def _observed_by(self) -> list[Int[np.ndarray, " own"]]:
        """Of each part, the positions of its global observables: those of its parameters, then those of what it profiles."""
        constrained = [p.name for p in self.parameters if p.constraint is not None]
        ends = len(constrained) + np.cumsum([part.n_profiled for part in self.parts])
        own = [[constrained.index(p.name) for p in part.parameters if p.constraint is not None] for part in self.parts]
        return [
            np.array([*index, *range(end - part.n_profiled, end)], int)
            for index, end, part in zip(own, ends, self.parts, strict=True)
        ]

    def split(self, data: Data) -> tuple[Data, ...]:
        """Split data, of one data set or a batch, into those of each part."""
        ends = np.cumsum(data.place.sizes)
        return tuple(
            Data(data.counts[..., end - size : end], data.auxiliary[..., index], place, data.own_places, data.expected)
            for end, size, index, place in zip(ends, data.place.sizes, self._observed_by, data.place.parts, strict=True)
        )

    def join(self, data: Sequence[Data]) -> Data:
        """Join the parts' data, one data set each or batches of the same length.

        Parameters
        ----------
        data : of each part, in their order

        Raises
        ------
        InputError : a number of data that is not that of the parts, batches of different lengths or a batch beside one
            data set, or a global observable that differs in two of them
        """
        if len(data) != len(self.parts):
            raise InputError("joint likelihood", f"data of {len(data)} parts", f"{len(self.parts)}")
        if len({np.shape(d.counts)[:-1] for d in data}) > 1:
            got = " and ".join(f"a batch of {len(d)}" if d.is_batch else "one data set" for d in data)
            raise InputError("joint likelihood", got, "one data set of each part, or batches of the same length")
        size = self.n_constraints + self.n_profiled
        auxiliary = np.full((*np.shape(data[0].counts)[:-1], size), np.nan)
        for own, index in zip(data, self._observed_by, strict=True):
            before, now = auxiliary[..., index], np.asarray(own.auxiliary)
            if (np.isfinite(before) & (before != now)).any():
                raise InputError("joint likelihood", "different global observables of a common parameter", "the same")
            auxiliary[..., index] = now
        joined = self._joined(data)
        return replace(joined, auxiliary=auxiliary)

    def _joined(self, data: Sequence[Data]) -> Data:
        """Observations of the parts; of the global observables those of what is profiled, as the parts' own methods give."""
        xp = namespace(*(d.counts for d in data))
        counts, auxiliary = (xp.concatenate([getattr(d, k) for d in data], axis=-1) for k in ("counts", "auxiliary"))
        own = any(d.own_places for d in data)
        each = [d.place if d.own_places or not (own and d.is_batch) else _repeated(d.place, len(d)) for d in data]
        place = JointPlace(tuple(each), tuple(d.counts.shape[-1] for d in data))
        return Data(counts, auxiliary, place, own, any(d.expected for d in data))

    def _own(self, params: Params) -> list[Params]:
        return [{n: v for n, v in params.items() if n in part.names} for part in self.parts]

    def log_observed(self, theta: Float[Array, " parameter"], data: Data) -> Float[Array, ""]:
        """Sum of the log densities of the observations."""
        parts = zip(self.parts, self._index, self.split(data), strict=True)
        value = sum((part.log_observed(theta[index], own) for part, index, own in parts), np.zeros(()))
        return namespace(value).asarray(value)

    def derivatives_observed(self, theta: Float[Array, " parameter"], data: Data) -> Derivatives:
        """Sums of the derivatives, each likelihood's by its own method."""

        def spread(values: Array, index: np.ndarray) -> Array:
            """Over all parameters; 0 for those that the part does not know."""
            where = np.ix_(*[index] * np.ndim(values))
            xp = namespace(values)
            return add_at(xp.zeros((len(theta),) * np.ndim(values), values.dtype), where, values)

        total: dict[str, Any] = {}
        for part, index, own in zip(self.parts, self._index, self.split(data), strict=True):
            at = part.derivatives_observed(theta[index], own)
            for k in (f.name for f in fields(at)):
                wide = spread(getattr(at, k), index)
                total[k] = total[k] + wide if k in total else wide
        return Derivatives(**(total | {"end": self.end(theta, data)}))

    def mixed_observed(self, theta: Array, data: Data, directions: Array) -> tuple[Array, Array]:
        """Each likelihood's by its own method, side by side."""
        parts = zip(self.parts, self._index, self.split(data), strict=True)
        each = [part.mixed_observed(theta[index], own, directions[:, index]) for part, index, own in parts]
        xp = namespace(*(x for both in each for x in both))
        return xp.concatenate([a for a, _ in each], 1), xp.concatenate([b for _, b in each], 1)

    def sample_observed(self, keys: tuple[PRNGKeyArray, PRNGKeyArray], theta: Array, profiled: Any) -> Data:
        """Observations drawn from each likelihood, with keys of its own."""
        import jax

        truth, index = self._truth(profiled), self._index
        each = [(jax.random.fold_in(keys[0], k), jax.random.fold_in(keys[1], k)) for k in range(len(self.parts))]
        return self._joined([p.sample_observed(each[k], theta[index[k]], truth[k]) for k, p in enumerate(self.parts)])

    def asimov_observed(self, theta: Array, profiled: Any) -> Data:
        """Expected observations of each likelihood."""
        parts = zip(self.parts, self._index, self._truth(profiled), strict=True)
        return self._joined([part.asimov_observed(theta[index], truth) for part, index, truth in parts])

    def spread_observed(self, theta: Array, data: Data) -> Data:
        """Standard deviations of each likelihood's observations."""
        parts = zip(self.parts, self._index, self.split(data), strict=True)
        return self._joined([part.spread_observed(theta[index], own) for part, index, own in parts])

    def _truth(self, profiled: Any) -> tuple[Any, ...]:
        return (None,) * len(self.parts) if profiled is None else profiled

    @property
    def n_profiled(self) -> int:
        """Number of global observables of all that is profiled."""
        return sum(part.n_profiled for part in self.parts)

    def profiled(self, params: Params, data: Data) -> Any:
        """Best values of what each likelihood profiles."""
        parts = zip(self.parts, self._own(params), self.split(data), strict=True)
        return tuple(part.profiled(own, its) for part, own, its in parts)

    def profiled_groups(self) -> dict[str, Bool[np.ndarray, " profiled"]]:
        """Rows of the breakdown; those of the same name in several likelihoods are one."""
        first, groups = 0, dict[str, np.ndarray]()
        for part in self.parts:
            for name, mask in part.profiled_groups().items():
                groups.setdefault(name, np.zeros(self.n_profiled, bool))[first : first + len(mask)] = mask
            first += part.n_profiled
        return groups

    def freeze_profiled(
        self, params: Params, data: Data, which: Bool[np.ndarray, " profiled"] | None = None
    ) -> "tuple[JointLikelihood, Data]":
        """Each likelihood and its data with what it profiles, or ``which`` of it, fixed at its best values."""
        ends = np.cumsum([part.n_profiled for part in self.parts])
        masks = [
            None if which is None else which[end - p.n_profiled : end] for p, end in zip(self.parts, ends, strict=True)
        ]
        parts = zip(self.parts, self._own(params), self.split(data), masks, strict=True)
        frozen = [part.freeze_profiled(own, its, mask) for part, own, its, mask in parts]
        joint = JointLikelihood([part for part, _ in frozen], self.parameters)
        return joint, joint.join([its for _, its in frozen])

    def saturated_observed(self, data: Data) -> Float[Array, "*toy"]:
        """Sum over the likelihoods."""
        parts = zip(self.parts, self.split(data), strict=True)
        return sum((part.saturated_observed(own) for part, own in parts), np.zeros(()))

    def check(self, data: Data) -> None:
        """Raise InputError where the data do not fit, and name the part."""
        if not isinstance(data.place, JointPlace) or len(data.place.sizes) != len(self.parts):
            raise InputError("data", "data of another likelihood", "data of a joint one", "make them with join()")
        super().check(Data(data.counts, data.auxiliary))
        for k, (part, own) in enumerate(zip(self.parts, self.split(data), strict=True)):
            try:
                part.check(own)
            except InputError as error:
                raise InputError(f"part {k + 1}, {error.where}", error.got, error.expected, error.action) from None

    def check_truth(self, params: Params, profiled: Any = None) -> None:
        """Raise InputError where one of the likelihoods has no data at ``params``."""
        for part, own, truth in zip(self.parts, self._own(params), self._truth(profiled), strict=True):
            part.check_truth(own, truth)

    def end(self, theta: Float[Array, " parameter"], data: Data) -> Int[Array, ""]:
        """The worst status of the likelihoods."""
        parts = zip(self.parts, self._index, self.split(data), strict=True)
        ends = [part.end(theta[index], own) for part, index, own in parts]
        xp = namespace(*ends)
        return xp.asarray(xp.stack(ends).max())

    def softened(self, factor: float) -> "JointLikelihood":
        """The same with each likelihood softened."""
        soft = [part.softened(factor) for part in self.parts]
        same = all(a is b for a, b in zip(soft, self.parts, strict=True))
        return self if same else JointLikelihood(soft, self.parameters)

    def work(self, data: Data) -> int:
        """Sum over the likelihoods."""
        return sum(part.work(own) for part, own in zip(self.parts, self.split(data), strict=True))

    def even_parts(self) -> EvenParts | None:
        """Even parts of the likelihoods that have any, in the observations of these."""
        found = [(index, e) for p, index in zip(self.parts, self._index, strict=True) if (e := p.even_parts())]
        if not found:
            return None
        which = np.unique(np.concatenate([index[e.which] for index, e in found]))
        even = [np.zeros((len(which), e.even.shape[1])) for _, e in found]
        jacobian = [np.zeros((len(self.names), e.even.shape[1])) for _, e in found]
        prior = np.zeros(len(self.names))
        for k, (index, e) in enumerate(found):
            even[k][np.searchsorted(which, index[e.which])] = e.even
            jacobian[k][index], prior[index] = e.jacobian, e.prior
        weight = np.concatenate([e.weight for _, e in found])
        return EvenParts(which, np.concatenate(even, axis=1), np.concatenate(jacobian, axis=1), weight, prior)


def _repeated(place: Any, sets: int) -> Any:
    """Places that all data sets of a batch share, once for each."""
    return map_places(lambda x: np.broadcast_to(x, (sets, *np.shape(x))), place)
