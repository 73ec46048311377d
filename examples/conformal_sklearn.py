"""Bring your own scikit-learn model: intervals and calibrated probabilities with event weights, on plain arrays."""

import numpy as np

try:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
except ImportError:
    print("skipped: scikit-learn is not installed")
    raise SystemExit from None

from verax.calibrate import isotonic
from verax.check import coverage, reliability
from verax.conformal import ConformalizedQuantileRegressor, SplitConformalRegressor

rng = np.random.default_rng(1)


def sample(n):  # a jet's energy from two measurements, and weights of which a tenth are negative
    x = rng.uniform(20, 100, (n, 2))
    weight = rng.uniform(0.5, 1.5, n) * np.where(rng.random(n) < 0.1, -1, 1)
    return x, x.mean(1) + rng.normal(size=n) * 0.1 * x[:, 0], weight


(x, y, w), (xc, yc, wc), (xt, yt, _) = sample(4000), sample(4000), sample(4000)
split = SplitConformalRegressor(HistGradientBoostingRegressor(), 0.9, negative="signed")
split.fit(x, y, np.abs(w)).conformalize(xc, yc, wc)
band = [HistGradientBoostingRegressor(loss="quantile", quantile=q) for q in (0.05, 0.95)]
cqr = ConformalizedQuantileRegressor(band, 0.9, negative="signed").fit(x, y, np.abs(w)).conformalize(xc, yc, wc)
for name, model in (("split", split), ("CQR", cqr)):
    result = coverage(model.predict_interval(xt), yt)
    worth = model.quantile_.n_effective
    print(f"{name}: coverage {result.fraction:.3f}, median width {result.width:.1f}, {worth:.0f} effective points")

classifier = HistGradientBoostingClassifier(max_iter=300, learning_rate=0.3).fit(x, y > 60)
score, new = classifier.predict_proba(xc)[:, 1], classifier.predict_proba(xt)[:, 1]
curve = isotonic(score, yc > 60, weight=wc, negative="signed")
before, after = (reliability(p, yt > 60, np.ones(len(yt))) for p in (new, curve(new)))
print(f"closure {np.sum(wc * curve(score)) / np.sum(wc * (yc > 60)):.6f}")
print(f"calibration error {before.ece:.3f} before, {after.ece:.3f} after, {after.ece_calibrated:.3f} by chance")
