"""What the estimators share: parameters as scikit-learn reads them, without importing it."""

import abc
import copy
import inspect
import warnings
from typing import Any, ClassVar

import numpy as np

from verax.errors import InputError, check_known
from verax.given import floats, refuse, unmasked
from verax.results import FloatArray

from ._conformal import exact_level
from ._model import rows


class Estimator(abc.ABC):
    """Parameters of the constructor as attributes, ``get_params`` and ``set_params``; fitted attributes end in ``_``.

    What ``conformalize`` made (``score_attributes``) belongs to the model and the score that it was made with. ``fit``, and
    a change of a parameter that is not in ``score_independent``, discard it: prediction then asks for ``conformalize``.
    A level outside (0, 1) is refused at once.
    """

    kind = "regressor"
    score_independent: ClassVar[tuple[str, ...]] = ()
    score_attributes: ClassVar[tuple[str, ...]] = ()
    quantile_: Any

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "confidence_level":
            exact_level(value, type(self).__name__)
        old = self.__dict__.get(name, value)
        same = old is value or (isinstance(value, (str, int, float)) and type(old) is type(value) and old == value)
        object.__setattr__(self, name, value)
        if not same and name in self._names() and name not in self.score_independent:
            self._discard_scores(f"a change of '{name}'")

    def _discard_scores(self, reason: str) -> None:
        """Discard what ``conformalize`` made, and note why."""
        gone = [name for name in self.score_attributes if self.__dict__.pop(name, None) is not None]
        if gone:
            self.__dict__["_discarded"] = reason

    @classmethod
    def _names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the constructor, and of the models among them as ``estimator__name``."""
        found = {name: getattr(self, name) for name in self._names()}
        if deep:
            inner = {n: v for n, v in found.items() if hasattr(v, "get_params") and not isinstance(v, type)}
            found |= {f"{n}__{k}": p for n, v in inner.items() for k, p in v.get_params().items()}
        return found

    def set_params(self, **params: Any) -> "Estimator":
        """Change parameters by name; ``estimator__name`` changes one of the model's.

        Raises
        ------
        InputError : for an unknown name
        """
        for name, value in params.items():
            outer, _, inner = name.partition("__")
            if outer not in self._names():
                raise InputError(type(self).__name__, f"parameter '{outer}'", ", ".join(self._names()))
            if inner:
                getattr(self, outer).set_params(**{inner: value})
                if outer not in self.score_independent:
                    self._discard_scores(f"a change of '{name}'")
            else:
                setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self._names())})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags, get_tags

        regressor = self.kind == "regressor"
        model: Any = getattr(self, "estimator", None)
        inner = model[0] if isinstance(model, (list, tuple)) else model
        sparse = bool(get_tags(inner).input_tags.sparse) if hasattr(inner, "__sklearn_tags__") else False
        return Tags(
            estimator_type=self.kind,
            target_tags=TargetTags(required=True),
            classifier_tags=None if regressor else ClassifierTags(),
            regressor_tags=RegressorTags() if regressor else None,
            input_tags=InputTags(sparse=sparse),
        )

    def get_metadata_routing(self) -> Any:
        """Return what scikit-learn may pass on to ``fit`` and ``score`` where its metadata routing is enabled."""
        from sklearn.utils.metadata_routing import MetadataRequest

        if kept := self.__dict__.get("_metadata_request"):
            return copy.deepcopy(kept)
        request = MetadataRequest(owner=self)
        for verb in ("fit", "score"):
            for name in self._metadata(verb):
                getattr(request, verb).add_request(param=name, alias=None)
        return request

    def set_fit_request(self, **names: bool | str | None) -> "Estimator":
        """Request that ``fit`` is passed what has these names, by True or another name; as scikit-learn's estimators."""
        return self._set_request("fit", names)

    def set_score_request(self, **names: bool | str | None) -> "Estimator":
        """Request the same for ``score``."""
        return self._set_request("score", names)

    def _metadata(self, verb: str) -> list[str]:
        return [name for name in inspect.signature(getattr(self, verb)).parameters if name not in ("X", "y")]

    def _set_request(self, verb: str, names: dict[str, bool | str | None]) -> "Estimator":
        check_known(names, self._metadata(verb), type(self).__name__, f"argument of {verb}")
        request = self.get_metadata_routing()
        for name, alias in names.items():
            getattr(request, verb).add_request(param=name, alias=alias)
        self._metadata_request = request
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    @property
    def n_features_in_(self) -> int:
        """Number of features that the fitted model saw."""
        model = self._fitted("model_")
        return int((model[0] if isinstance(model, tuple) else model).n_features_in_)

    @abc.abstractmethod
    def predict(self, X: Any) -> Any:
        """Point predictions."""

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Compute R² of point predictions, or the accuracy of a classifier: what scikit-learn's searches maximise."""
        guess, truth = self.predict(X), np.asarray(y)
        w = np.ones(rows(X)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        if self.kind == "classifier":
            return float(np.average(guess == truth, weights=w))
        truth = truth.reshape(-1).astype(np.float64)
        spread = np.sum(w * (truth - np.average(truth, weights=w)) ** 2)
        return float(1 - np.sum(w * (truth - guess) ** 2) / spread) if spread > 0 else 0.0

    def _fitted(self, name: str) -> Any:
        """An attribute that an earlier verb made."""
        if name in self.__dict__:
            return self.__dict__[name]
        verb, since = ("fit", "") if name == "model_" else ("conformalize", self.__dict__.get("_discarded", ""))
        raise not_fitted(type(self).__name__, verb, since)


def not_fitted(name: str, verb: str, since: str = "") -> Exception:
    """The error for a verb that is used too early: scikit-learn's kind where that is installed.

    ``since`` is what took away what an earlier call of the verb had made.
    """
    error = InputError(name, f"no call of {verb} so far", f"{verb} first")
    if since:
        error = InputError(name, f"no call of {verb} since {since}", "scores of this model", f"{verb} again")
    try:
        from sklearn.exceptions import NotFittedError
    except ImportError:
        return error
    return NotFittedError(str(error))


def warn_of_column() -> None:
    """Warn that a column was taken for a vector, as scikit-learn's models do; not where that is not installed."""
    try:
        from sklearn.exceptions import DataConversionWarning
    except ImportError:
        return
    message = "A column-vector y was passed when a 1d array was expected; it is taken as one target a point"
    warnings.warn(message, DataConversionWarning, stacklevel=4)


def checked_target(y: Any, x: Any, where: str) -> FloatArray:
    """The target as float64, one finite number a point.

    Raises
    ------
    InputError : for no target, another number of them, or one that is not finite
    """
    if y is None:
        raise InputError(where, "y of None", "a target: it requires y to be passed, but the target y is None")
    values = unmasked(y, "y", where)
    if np.iscomplexobj(values):
        raise InputError(where, "complex targets", "real numbers", "Complex data not supported")
    values = floats(values, "y", where)
    if values.ndim == 2 and values.shape[1] == 1:
        warn_of_column()
        values = values[:, 0]
    if values.shape != (rows(x),):
        raise InputError(where, f"y of shape {values.shape}", f"one target for each of {rows(x)} points")
    refuse(~np.isfinite(values), values, "target {} (NaN or infinity)", where, "finite targets")
    return values
