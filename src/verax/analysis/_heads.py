"""Heads of classifiers: a network's outputs, the loss they are trained on, and the probability of signal they give."""

from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
from jaxtyping import Array, Float

from verax.aleatoric import NoisyLogits, NoisyProbabilities
from verax.learn import CrossEntropy, Loss, Moments, bernoulli


@dataclass(frozen=True)
class Head:
    """A head for two classes.

    Parameters
    ----------
    outputs : numbers that a network gives for an event; None for a single logit
    loss : ``(background processes, signal processes) → loss``
    moments : probability of signal, and its variance, from the outputs
    """

    outputs: int | None
    loss: Callable[[tuple[str, ...], tuple[str, ...]], Loss]
    moments: Moments


class OfSignal(eqx.Module):
    """Moments of the second class."""

    moments: NoisyProbabilities

    def __call__(self, output: Float[Array, " output"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        probability, variance = self.moments(output)
        return probability[1], variance[1]


HEADS = {
    "classifier": Head(None, lambda background, signal: CrossEntropy(signal), bernoulli),
    "noisy_logits": Head(
        4, lambda background, signal: NoisyLogits((background, signal)), OfSignal(NoisyProbabilities())
    ),
}
"""By the name in the analysis file, which ``Learn.head`` lists too."""
