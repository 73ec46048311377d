"""The section `learn`: what may be said of each epistemic method, and the training that comes of it, side by side.

A method is one class here, and its name in ``LearnSection``: keys that only it has are options of its function in
``verax.epistemic``, by the same names; ``words`` say in the report how its members came about.
"""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import jax
import pydantic
from jaxtyping import PRNGKeyArray
from pydantic import Field

from verax.approaches import Approach
from verax.epistemic import Ensemble as Trained
from verax.epistemic import Posterior, bootstrap_factors, cross_fit, dropout, hmc, laplace, variational
from verax.errors import InputError
from verax.events import Events
from verax.learn import CrossTrained, Training, cross_train

from ._sections import Count, Finite, Folds, IsNumber, Size, Strict, Width

Step: TypeAlias = Callable[[str, int, int], None]
"""Called as ``step(what, done, total)``."""

Found: TypeAlias = tuple[CrossTrained, tuple[Posterior, ...]]
"""Networks with axes fold and member, and the posterior of each fold; of ensembles only how it was found."""

Share: TypeAlias = Annotated[float, Field(gt=0, lt=1), IsNumber]


KEYS_OF = {
    "systematics": ("augment", "adversarial", "parameterised", "inferno"),
    "per": ("augment",),
    "strength": ("adversarial",),
    "at": ("parameterised",),
    "bins": ("inferno",),
    "temperature": ("inferno",),
}
"""The approaches that read a key of ``learn``; other keys are read by all."""


class Learn(Strict):
    """Networks of each fold; an event is scored by those that never saw it."""

    epistemic: str
    head: Literal["classifier", "noisy_logits"] = Field(
        "classifier",
        description="what the outputs are: one logit, or (with approach: propagate) a logit of each class with Gaussian "
        "noise of a learnt width",
    )
    approach: Literal["propagate", "augment", "adversarial", "parameterised", "inferno"] = Field(
        "propagate",
        description="how it lives with systematics: not at all, trained on events at θ drawn from the priors, against "
        "an adversary that guesses θ, told θ as well, or trained to make the expected uncertainty of the measurement small",
    )
    systematics: list[str] | None = Field(None, description="those that the approach acts on (default: all)")
    per: Literal["event", "batch"] = Field("event", description="augment: one θ for each event, or for each batch")
    strength: Annotated[float, Field(ge=0), IsNumber] = Field(1.0, description="adversarial: of the adversary")
    at: dict[str, Finite] = Field({}, description="parameterised: θ at which the summary is made (default: 0)")
    bins: Annotated[int, Field(ge=2, le=1000), IsNumber] = Field(10, description="inferno: bins of the summary")
    temperature: Width = Field(0.1, description="inferno: of the softmax over bins")
    folds: Folds = Field(3, description="an event of fold i is scored by networks trained on the others")
    members: Size
    width: Size = Field(64, description="units of a hidden layer")
    depth: Annotated[int, Field(ge=1, le=100), IsNumber] = Field(2, description="hidden layers")
    max_events: Count = Field(2_000_000, description="rows used for training; a longer table is thinned evenly")

    @pydantic.model_validator(mode="after")
    def _is_read(self) -> "Learn":
        """No key is given that only another approach reads."""
        for name, approaches in KEYS_OF.items():
            value = getattr(self, name)
            if self.approach not in approaches and value != Learn.model_fields[name].default:
                expected = f"approach: {' or '.join(approaches)}"
                if isinstance(self, _Drawn):
                    expected += ", with epistemic: bootstrap or ensemble"
                raise InputError(
                    f"learn.{name}", f"{value} with approach '{self.approach}'", expected, "or leave it out"
                )
        return self

    @pydantic.model_validator(mode="after")
    def _goes_with_head(self) -> "Learn":
        if self.head != "classifier" and self.approach != "propagate":
            seen = f"'{self.head}' with approach '{self.approach}'"
            raise InputError("learn.head", seen, "approach: propagate, or head: classifier")
        return self

    held_out: ClassVar[float] = 0.0
    """Share of the events that are not learnt from, but decide when to stop."""
    package: ClassVar[str] = ""
    """What must be installed beside verax."""

    @property
    def announced(self) -> str:
        """How long it may take, where a person should know before."""
        return ""

    @abstractmethod
    def cross_train(self, key: PRNGKeyArray, chosen: Approach, events: Events, step: Step) -> Found:
        """Train the networks of all folds."""

    @property
    @abstractmethod
    def described(self) -> str:
        """How the members came about, for the report."""


class _Trained(Learn):
    """Trained in epochs."""

    epochs: Count | None = Field(60, description="most epochs (null: as many as it takes)")
    batch: Count = Field(512, description="rows per step")
    learning_rate: Width = Field(2e-3, description="of AdamW")

    def training(self, **more: Any) -> Training:
        """The options of the training."""
        keys = {"epochs", "batch", "learning_rate", "patience"} & set(type(self).model_fields)
        return Training(**{key: getattr(self, key) for key in keys}, **more)


class _Stopped(_Trained):
    """Trained until a part of the events that is held out says so."""

    held_out: ClassVar[float] = 0.2
    patience: Count = Field(8, description="epochs without improvement after which training stops")


class Ensemble(_Stopped):
    """Networks that are trained one by one: from starts of their own, and as a bootstrap on replicas of their own."""

    epistemic: Literal["bootstrap", "ensemble"] = Field(
        "bootstrap",
        description="each network on its own Poisson replica of the events, or all on the same; they differ by start and "
        "order too",
    )
    members: Size = Field(5, description="networks per fold")

    def cross_train(self, key: PRNGKeyArray, chosen: Approach, events: Events, step: Step) -> Found:
        """Train the networks of all folds side by side."""
        replica, start = jax.random.split(key)
        factors = None
        if self.epistemic == "bootstrap":
            factors = bootstrap_factors(replica, events.number, events.process, members=self.members)
        training = self.training(
            optimizer=chosen.optimizer, progress=lambda epoch, epochs, _: step("epochs", epoch, epochs)
        )
        trained = cross_train(
            start,
            chosen.make,
            chosen.loss,
            events,
            training=training,
            folds=self.folds,
            members=self.members,
            factors=factors,
            weigh=chosen.weigh,
            held_out=self.held_out,
        )
        same = self.epistemic == "ensemble"
        return trained, tuple(Trained(None, histories=fold, same_events=same) for fold in trained.histories)

    @property
    def described(self) -> str:
        """How the members came about."""
        replica = "each on its own Poisson replica of the events"
        return f"trained {replica if self.epistemic == 'bootstrap' else 'on the same events'}"


class _Drawn(Learn):
    """Members drawn from a posterior; its loss is a likelihood of the events as they are."""

    approach: Literal["propagate"] = Field("propagate", description="networks know nothing of systematics")
    members: Size = Field(50, description="networks drawn per fold")

    function: ClassVar[Callable[..., Posterior]]
    words: ClassVar[str]

    def cross_train(self, key: PRNGKeyArray, chosen: Approach, events: Events, step: Step) -> Found:
        """Find the posterior of each fold, and draw from it."""
        training = self.training() if isinstance(self, _Trained) else None
        return cross_fit(
            key,
            self.method(),
            chosen.make,
            chosen.loss,
            events,
            training=training,
            folds=self.folds,
            members=self.members,
            weigh=chosen.weigh,
            held_out=self.held_out,
            progress=partial(step, "folds"),
        )

    def method(self) -> Callable[..., Posterior]:
        """The function of the method, given the keys that are its own options."""
        own = [name for name in type(self).model_fields if name not in _Stopped.model_fields]
        return partial(type(self).function, **{name: getattr(self, name) for name in own})

    @property
    def described(self) -> str:
        """How the members came about."""
        return self.words.format(**dict(self))


class Dropout(_Drawn, _Stopped):
    """One network trained with hidden units left out at random, as its members leave them out."""

    epistemic: Literal["dropout"]
    rate: Share = Field(0.1, description="share of hidden units left out")

    function: ClassVar = dropout
    words: ClassVar = "which are one, trained with dropout, each with {rate:g} of its hidden units left out"


class Variational(_Drawn, _Trained):
    """Independent Gaussians over the weights of a network."""

    epistemic: Literal["variational"]
    epochs: Count | None = Field(None, description="most epochs (default: as many as it takes)")
    learning_rate: Width = Field(1e-2, description="of Adam, at first; it falls to zero")
    precision: Width = Field(1.0, description="of the Gaussian prior of each weight")

    function: ClassVar = variational
    words: ClassVar = "with weights drawn from independent Gaussians (variational inference)"


class Laplace(_Drawn, _Stopped):
    """A Gaussian over the weights of the last layer, at the mode of their posterior."""

    epistemic: Literal["laplace"]
    head: Literal["classifier"] = Field(
        "classifier", description="one logit; events do not determine the noise of others"
    )
    precision: Width | None = Field(
        None, description="of the Gaussian prior of each weight (default: that of the largest evidence)"
    )

    function: ClassVar = laplace
    words: ClassVar = "with weights of the last layer drawn from a Gaussian at their mode (Laplace)"


class Hmc(_Drawn):
    """Draws from the posterior of all weights, by chains that use all events in each step: for small networks."""

    epistemic: Literal["hmc"]
    width: Size = Field(16, description="units of a hidden layer")
    depth: Annotated[int, Field(ge=1, le=100), IsNumber] = Field(1, description="hidden layers")
    max_events: Count = Field(1_500, description="rows used for training; a longer table is thinned evenly")
    precision: Width = Field(1.0, description="of the Gaussian prior of each weight")
    chains: Size = Field(4, description="chains, each from a start of its own")
    warmup: Count = Field(500, description="steps of a chain that adapt it, and are not kept")
    draws: Annotated[int, Field(ge=4, le=10**6), IsNumber] = Field(500, description="steps of a chain that are kept")
    acceptance: Share = Field(0.8, description="mean acceptance that the step size is adapted to")
    doublings: Count = Field(7, description="most doublings of a trajectory; 7 are 127 leapfrog steps")
    budget: Width = Field(
        3e11,
        description="most steps of all chains × leapfrog steps × events × weights of a fold, of which a core does some 10⁹ "
        "in a second",
    )

    package: ClassVar = "blackjax"
    function: ClassVar = hmc
    words: ClassVar = "drawn from the posterior of their weights by {chains} chains (Hamiltonian Monte Carlo)"

    @property
    def announced(self) -> str:
        """How long it may take."""
        return f"chains of {self.folds} folds may take {self.budget / 6e10:.2g} minutes of a core each (learn.budget)"

    @pydantic.model_validator(mode="after")
    def _enough(self) -> "Hmc":
        if self.members > self.chains * self.draws:
            seen = f"{self.members}, of {self.chains} chains with {self.draws} draws"
            raise InputError("learn.members", seen, "no more than there are draws", "raise learn.draws")
        return self


def _with_default(value: Any) -> Any:
    """The section with the default method named, where none is."""
    return {"epistemic": "bootstrap", **value} if isinstance(value, dict) else value


LearnSection: TypeAlias = Annotated[
    Ensemble | Dropout | Variational | Laplace | Hmc,
    Field(discriminator="epistemic"),
    pydantic.BeforeValidator(_with_default),
]
