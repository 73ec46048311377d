"""What changed between simulation and data? Tests of two weighted samples, and a diagnosis with what to do about it."""

import jax
import numpy as np

from verax.shift import c2st, diagnose, mmd

rng, keys = np.random.default_rng(3), jax.random.split(jax.random.key(3), 4)


def sample(n, signal):  # a signal fraction, two features, and weights of which a tenth are negative
    y = (rng.random(n) < signal).astype(int)
    x = rng.normal(size=(n, 2)) + np.outer(1.5 * y, [1, 0.5])
    return x, y, rng.uniform(0.5, 1.5, n) * np.where(rng.random(n) < 0.1, -1, 1)


(x, y, w), (new, label, _) = sample(3000, 0.5), sample(3000, 0.3)
test = c2st(keys[0], x, new, reference_weight=w)
print(f"classifier two-sample test: p = {test.p_value:.1g}, AUC {test.auc:.3f}")
print(f"maximum mean discrepancy: p = {mmd(keys[1], x[:1000], new[:1000], reference_weight=w[:1000]).p_value:.1g}")

for key, name, known in ((keys[2], "without labels in the data", None), (keys[3], "with labels in the data", label)):
    found = diagnose(key, x, y, new, target_label=known, reference_weight=w)
    print(f"\n{name}: {found.verdict}")
    print("\n".join(f"  {line}" for line in found.lines))
    fraction = found.fractions
    print(f"  signal fraction {fraction.fraction[1]:.3f} ± {fraction.error[1]:.3f} (true 0.300)")
