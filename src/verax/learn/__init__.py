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
cross_train, CrossTrained, fold_of         how is each event scored by networks that never saw it?
predict, predict_chunks, score             mean, aleatoric and epistemic variance of each event
member_means                               what does each member predict by itself?
=========================================  =================================================================

``inputs`` gives the columns that a network reads, ``Frozen`` marks constants of a network and ``trainable`` the rest,
``member`` takes one of several stacked networks, ``bernoulli`` reads a logit as a probability, and ``event_weight`` takes
the events' own weights for those of the training.

>>> import jax, numpy as np
>>> from functools import partial
>>> from verax.events import make_events
>>> x = np.linspace(-1, 1, 64)
>>> events = make_events({"x": x}, process=(x > 0).astype(int), processes=("background", "signal"))
>>> make = partial(classifier, features=("x",), width=8, depth=1)
>>> found = cross_train(jax.random.key(1), make, CrossEntropy(("signal",)), events, training=Training(epochs=1), folds=2)
>>> score(found, events).mean.shape
(64,)
"""

from verax.learn.folds import CrossTrained as CrossTrained
from verax.learn.folds import Make as Make
from verax.learn.folds import cross_train as cross_train
from verax.learn.folds import event_weight as event_weight
from verax.learn.folds import fold_of as fold_of
from verax.learn.loop import History as History
from verax.learn.loss import CrossEntropy as CrossEntropy
from verax.learn.loss import Loss as Loss
from verax.learn.loss import Weigh as Weigh
from verax.learn.loss import balance as balance
from verax.learn.loss import is_comparable as is_comparable
from verax.learn.network import Frozen as Frozen
from verax.learn.network import Network as Network
from verax.learn.network import Standardise as Standardise
from verax.learn.network import blank as blank
from verax.learn.network import classifier as classifier
from verax.learn.network import inputs as inputs
from verax.learn.network import standardise as standardise
from verax.learn.network import trainable as trainable
from verax.learn.predict import Moments as Moments
from verax.learn.predict import bernoulli as bernoulli
from verax.learn.predict import load as load
from verax.learn.predict import member_means as member_means
from verax.learn.predict import predict as predict
from verax.learn.predict import predict_chunks as predict_chunks
from verax.learn.predict import save as save
from verax.learn.predict import score as score
from verax.learn.train import Trained as Trained
from verax.learn.train import member as member
from verax.learn.train import start_from as start_from
from verax.learn.train import train as train
from verax.learn.train import train_made as train_made
from verax.learn.training import Optimizer as Optimizer
from verax.learn.training import Progress as Progress
from verax.learn.training import Training as Training
from verax.learn.training import adamw as adamw
from verax.learn.training import cosine as cosine
