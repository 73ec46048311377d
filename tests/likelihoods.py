"""Small likelihoods with a known answer, shared by the tests of models and inference."""

import numpy as np

from verax.model import BinnedLikelihood, binned_likelihood
from verax.parameters import Parameter, nuisance
from verax.templates import Templates


def make_templates(nominal, *, variance=None, systematics=(), bins=None) -> Templates:
    """Templates from plain lists; ``systematics`` holds (parameter, up, down), ``bins`` the bins of each channel."""
    nominal = np.asarray(nominal, np.float64)
    bins = bins or (nominal.shape[1],)
    shape = (len(systematics), *nominal.shape)
    return Templates(
        nominal,
        np.zeros_like(nominal) if variance is None else np.asarray(variance, np.float64),
        np.reshape([np.asarray(up, np.float64) for _, up, _ in systematics], shape),
        np.reshape([np.asarray(down, np.float64) for _, _, down in systematics], shape),
        tuple(f"channel{c}" for c in range(len(bins))),
        tuple(tuple(float(x) for x in range(n + 1)) for n in bins),
        ("signal", "background", "other")[: nominal.shape[0]],
        tuple(p if isinstance(p, Parameter) else nuisance(p, p) for p, _, _ in systematics),
    )


def counting(signal=20.0, background=100.0, *, relative_error=0.0, bounds=None) -> BinnedLikelihood:
    """One bin: n ~ Poisson(μ s + b), with an uncertainty of the simulation if wanted."""
    total = signal + background
    templates = make_templates([[signal], [background]], variance=[[0.0], [(relative_error * total) ** 2]])
    return binned_likelihood(templates, free={"mu": ("signal",)}, bounds={"mu": bounds} if bounds else {})


def realistic(*, bins=(4, 3), systematics=4, simulation_statistics=True) -> BinnedLikelihood:
    """Two channels of different length, three processes, systematics with shape and normalisation, asymmetric."""
    rng = np.random.default_rng(7)
    x = np.concatenate([(np.arange(n) + 0.5) / n for n in bins])
    nominal = np.stack([40 * np.exp(1.5 * x), 500 * np.exp(-x), 250 * np.exp(-2 * x)])
    variance = nominal * rng.uniform(0.1, 0.4, nominal.shape)
    varied = []
    for k in range(systematics):
        slope = rng.normal(0, 0.06, (3, 1)) + rng.normal(0, 0.06, (3, 1)) * x
        name = nuisance(f"theta{k}", f"experiment/{'jets' if k % 2 else 'leptons'}" if k < 3 else "theory")
        varied.append((name, nominal * (1 + slope), nominal * (1 - slope * rng.uniform(0.8, 1.0))))
    return binned_likelihood(
        make_templates(nominal, variance=variance, systematics=varied, bins=bins),
        free={"mu": ("signal",), "norm": ("background",)},
        simulation_statistics=simulation_statistics,
    )
