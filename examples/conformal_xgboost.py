"""Bring your own XGBoost model: prediction sets by class and calibrated probabilities, on plain arrays."""

import numpy as np

try:
    import xgboost
except ImportError:
    print("skipped: xgboost is not installed")
    raise SystemExit from None

from verax.calibrate import temperature
from verax.check import classwise
from verax.conformal import SplitConformalClassifier

rng = np.random.default_rng(1)
NAMES = np.array(["qcd", "top", "w"])


def sample(n):
    label = rng.choice(3, n, p=[0.7, 0.1, 0.2])
    centre = np.array([[0, 0], [2, 1], [1, 2]])[label]
    return rng.normal(size=(n, 2)) + centre, label


(x, y), (xc, yc), (xt, yt) = sample(3000), sample(3000), sample(3000)
data = xgboost.DMatrix(x, label=y)
settings = {"objective": "multi:softprob", "num_class": 3, "max_depth": 6, "nthread": 1}
booster = xgboost.train(settings, data, num_boost_round=100)


def probability(features):  # any callable on arrays will do
    return booster.predict(xgboost.DMatrix(features))


for score in ("lac", "aps", "raps"):
    model = SplitConformalClassifier(probability, 0.9, conformity_score=score, classes=NAMES, random_state=1)
    all_in_one = model.conformalize(xc, NAMES[yc]).predict_set(xt)
    by_class = model.conformalize(xc, NAMES[yc], group="class").predict_set(xt)
    for kind, sets in (("all", all_in_one), ("each class", by_class)):
        held = sets.holds(NAMES[yt])
        each = ", ".join(f"{name} {held[yt == k].mean():.3f}" for k, name in enumerate(NAMES))
        print(f"{score} for {kind}: coverage {held.mean():.3f} ({each}), mean size {sets.size.mean():.2f}")

sharp = temperature(np.log(probability(xc).astype(float)), yc)
ones = np.ones(len(yt))
before, after = classwise(probability(xt), yt, ones), classwise(sharp(np.log(probability(xt).astype(float))), yt, ones)
print(f"temperature {sharp.value:.2f} ± {sharp.error:.2f}: classwise error {before.ece:.4f} → {after.ece:.4f}")
print(f"calibrated probabilities would have {after.ece_calibrated:.4f} by chance")
