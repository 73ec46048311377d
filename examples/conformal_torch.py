"""Bring your own PyTorch network: intervals that stay right when the test events lie elsewhere, on plain arrays."""

import numpy as np

try:
    import torch
except ImportError:
    print("skipped: PyTorch is not installed")
    raise SystemExit from None

from verax.calibrate import pit_normal, uniformity
from verax.check import coverage
from verax.conformal import SplitConformalRegressor

rng, _ = np.random.default_rng(1), torch.manual_seed(1)


def sample(n, centre):
    x = rng.normal(size=(n, 1)) + centre
    return x, np.sin(2 * x[:, 0]) + rng.normal(size=n) * np.exp(0.4 * x[:, 0]) * 0.3


(x, y), (xc, yc), (xt, yt) = sample(4000, 0), sample(4000, 0), sample(4000, 0.8)
network = torch.nn.Sequential(torch.nn.Linear(1, 64), torch.nn.Tanh(), torch.nn.Linear(64, 2))  # mean and log σ
optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
inputs, targets = (torch.tensor(a, dtype=torch.float32) for a in (x, y))
for _ in range(200):
    mean, log_sigma = network(inputs).T
    loss = (log_sigma + 0.5 * ((targets - mean) / log_sigma.exp()) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def output(features):
    with torch.no_grad():
        return network(torch.tensor(features, dtype=torch.float32)).numpy().astype(float)


def ratio(x):  # p_test/p_cal of the two samples; see ratio_from_classifier where it is not known
    return np.exp(0.8 * x[:, 0] - 0.32)


distance, p = uniformity(pit_normal(yc, output(xc)[:, 0], np.exp(output(xc)[:, 1])))
print(f"PIT of the network's normal distributions: KS distance {distance:.3f}, p-value {p:.3f}")
for name, sigma in {"one width": None, "width from the network": lambda x: np.exp(output(x)[:, 1])}.items():
    model = SplitConformalRegressor(lambda x: output(x)[:, 0], 0.9, spread=sigma).conformalize(xc, yc)
    plain, moved = model.predict_interval(xt), model.predict_interval(xt, ratio=(ratio(xc), ratio(xt)))
    fractions = coverage(plain, yt).fraction, coverage(moved, yt).fraction
    print(f"{name}: coverage of moved events {fractions[0]:.3f}, with their density ratio {fractions[1]:.3f}")
