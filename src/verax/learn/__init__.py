"""Learning: networks, losses, one training loop, cross-training in folds, and prediction.

=========================================  =================================================================
name                                       question
=========================================  =================================================================
classifier, Network, standardise           which network, and on which scale does it read its features?
blank, save, load                          how are trained networks kept, and read again?
CrossEntropy, balance, is_comparable       what is made small, with which weights of the two classes?
Training, adamw, cosine                    with which options: epochs, batches, optimizer?
train, Trained, History                    what does one training give, and how did it go?
train_made, start_from                     the same for what ``make`` gives, or a network that is trained
make_runs, Run, train_runs                 how are many trained side by side on rows of one table?
cross_train, CrossTrained                  how is each event scored by networks that never saw it?
fold_of, fold_rows, is_held_out            which events are in a fold, learnt from, or decide when to stop?
predict, predict_chunks, score             mean, aleatoric and epistemic variance of each event
member_means, total_variance               what does each member predict by itself, and all of them together?
stack, member                              how do several networks become one with a leading axis, and back?
=========================================  =================================================================

``inputs`` gives the columns that a network reads, ``Frozen`` marks constants of a network and ``trainable`` the rest,
``Around`` is the base of networks around another, ``member`` takes one of several stacked networks, ``bernoulli`` reads a
logit as a probability, and ``event_weight`` takes the events' own weights for those of the training. ``signed`` and
``checked_total`` hold such weights to what is asked of them, and ``linear_layers`` are what networks are made of.

>>> import jax, numpy as np
>>> from functools import partial
>>> from verax.events import make_events
>>> x = np.linspace(-1, 1, 64)
>>> events = make_events({"x": x}, process=(x > 0).astype(int), processes=("b", "s"))
>>> make = partial(classifier, features=("x",), width=8, depth=1)
>>> found = cross_train(jax.random.key(1), make, CrossEntropy(("s",)), events, training=Training(epochs=1), folds=2)
>>> score(found, events).mean.shape
(64,)
"""

from ._epoch import stack as stack
from ._folds import CrossTrained as CrossTrained
from ._folds import Make as Make
from ._folds import cross_train as cross_train
from ._folds import event_weight as event_weight
from ._folds import fold_of as fold_of
from ._folds import fold_rows as fold_rows
from ._folds import is_held_out as is_held_out
from ._folds import make_runs as make_runs
from ._loop import History as History
from ._loop import Run as Run
from ._loop import train_runs as train_runs
from ._loss import CrossEntropy as CrossEntropy
from ._loss import Loss as Loss
from ._loss import Weigh as Weigh
from ._loss import balance as balance
from ._loss import checked_total as checked_total
from ._loss import is_comparable as is_comparable
from ._loss import signed as signed
from ._network import Around as Around
from ._network import Frozen as Frozen
from ._network import Network as Network
from ._network import Standardise as Standardise
from ._network import blank as blank
from ._network import classifier as classifier
from ._network import inputs as inputs
from ._network import linear_layers as linear_layers
from ._network import standardise as standardise
from ._network import trainable as trainable
from ._predict import Moments as Moments
from ._predict import bernoulli as bernoulli
from ._predict import load as load
from ._predict import member_means as member_means
from ._predict import predict as predict
from ._predict import predict_chunks as predict_chunks
from ._predict import save as save
from ._predict import score as score
from ._predict import total_variance as total_variance
from ._train import Trained as Trained
from ._train import member as member
from ._train import start_from as start_from
from ._train import train as train
from ._train import train_made as train_made
from ._training import Optimizer as Optimizer
from ._training import Training as Training
from ._training import adamw as adamw
from ._training import cosine as cosine
