"""Small random models whose parameters move bins the same way on both sides, and a referee that knows nothing of verax.

The referee's likelihood is written anew in NumPy (codes 4p and 4 of HistFactory); with one or two systematics it is scanned
densely, with more it is minimised from many starts, by a Newton of its own on differences; the lowest is kept.
"""

import itertools

import numpy as np
from scipy.special import gammaln

from workspaces import sample, workspace

BOUNDS = (-10.0, 10.0)


def random_workspace(rng, channels, systematics):
    """A pyhf workspace: signal and background in 1 or 2 bins a channel, histosys and normsys, mostly same-side.

    With several channels the last one often is a control region. Data are drawn at a random truth.
    """
    control = channels > 1 and rng.uniform() < 0.6
    bins = [2 if c == 0 else 1 for c in range(channels)]
    samples, data = {}, {}
    truth = rng.normal(0, 1.3, systematics)
    for c, n in enumerate(bins):
        background = rng.uniform(50, 110, n) * (4 if control and c == channels - 1 else 1)
        signal = np.zeros(n) if control and c == channels - 1 else rng.uniform(8, 22, n)
        modifiers, expected = [], background.copy()
        for k in range(systematics):
            side = rng.choice([-1.0, 1.0])
            size = side * rng.uniform(0.02, 0.3, (2, n))
            kind = rng.choice(["equal", "unequal", "opposite"], p=[0.4, 0.45, 0.15])
            if kind == "equal":
                size[1] = size[0]
            if kind == "opposite":
                size[1] = -size[1]
            if k % 2:
                modifiers.append((f"a{k}", "normsys", {"hi": float(1 + size[0, 0]), "lo": float(1 + size[1, 0])}))
                size = np.tile(size[:, :1], n)
            else:
                both = {
                    "hi_data": (background * (1 + size[0])).tolist(),
                    "lo_data": (background * (1 + size[1])).tolist(),
                }
                modifiers.append((f"a{k}", "histosys", both))
            expected = expected + background * abs(truth[k]) * np.where(truth[k] > 0, size[0], size[1])
        mu = rng.uniform(0, 2.5)
        data[f"c{c}"] = rng.poisson(np.maximum(expected + mu * signal, 1.0)).astype(float).tolist()
        samples[f"c{c}"] = [
            sample("signal", signal.tolist(), ("mu", "normfactor", None)),
            sample("background", background.tolist(), *modifiers),
        ]
    poi = {"name": "mu", "inits": [1.0], "bounds": [list(BOUNDS)]}
    return workspace(samples, parameters=[poi], observations=data)


class Referee:
    """−log L of such a workspace, and its least values."""

    def __init__(self, spec, starts=50, seed=0):
        self.signal = np.concatenate([c["samples"][0]["data"] for c in spec["channels"]])
        self.background = np.concatenate([c["samples"][1]["data"] for c in spec["channels"]])
        self.counts = np.concatenate([o["data"] for o in spec["observations"]])
        names = sorted({m["name"] for c in spec["channels"] for m in c["samples"][1]["modifiers"]})
        self.n, self.starts, self.rng = len(names), starts, np.random.default_rng(seed)
        shape = np.ones((self.n, 2, len(self.background)))
        self.additive = np.zeros((self.n, 2, len(self.background)))
        first = 0
        for c in spec["channels"]:
            n = len(c["samples"][1]["data"])
            here = slice(first, first + n)
            for m in c["samples"][1]["modifiers"]:
                k = names.index(m["name"])
                if m["type"] == "normsys":
                    shape[k, :, here] = np.array([m["data"]["hi"], m["data"]["lo"]])[:, None]
                else:
                    sides = np.array([m["data"]["hi_data"], m["data"]["lo_data"]])
                    self.additive[k, :, here] = sides - self.background[here]
            first += n
        self.logs = np.log(shape)
        self.polynomial = _code4(shape[:, 0], shape[:, 1])
        self.auxiliary = np.zeros(self.n)

    def rates(self, mu, alpha):
        """Events expected in each bin; leading axes of ``mu`` and ``alpha`` [..., k] are those of the answer."""
        shape, factor = self.background, 1.0
        for k in range(self.n):
            a = alpha[..., k, None]
            up, down = self.additive[k]
            inside = a**2 * (15 - 10 * a**2 + 3 * a**4) / 8
            shape = shape + a * (up - down) / 2 + np.where(abs(a) <= 1, inside, abs(a)) * (up + down) / 2
            power = sum(p * a ** (i + 1) for i, p in enumerate(self.polynomial[:, k]))
            beyond = np.exp(np.where(a > 0, a * self.logs[k, 0], -a * self.logs[k, 1]))
            factor = factor * np.where(abs(a) <= 1, 1 + power, beyond)
        return shape * factor + np.asarray(mu)[..., None] * self.signal

    def nll(self, mu, alpha):
        """−log L with all its constants; infinite where a rate is negative, by more than a fit may overstep."""
        nu = self.rates(mu, alpha)
        with np.errstate(invalid="ignore", divide="ignore"):
            logs = np.where(self.counts > 0, self.counts * np.log(nu), 0.0)
            bins = (np.maximum(nu, 0.0) - logs + gammaln(self.counts + 1)).sum(-1)
        constraint = 0.5 * ((alpha - self.auxiliary) ** 2).sum(-1) + 0.5 * np.log(2 * np.pi) * self.n
        return np.where((nu > np.where(self.counts > 0, 0.0, -1e-4)).all(-1), bins + constraint, np.inf)

    def least(self, mu=None, lowest=BOUNDS[0]):
        """The least −log L and where it is, at ``mu`` or, without one, over all μ from ``lowest`` to the upper bound."""
        if self.n <= 2:
            grid = np.linspace(-4.5, 4.5, 121)
            alpha = np.stack(np.meshgrid(*[grid] * self.n, indexing="ij"), -1).reshape(-1, self.n)
            if mu is None:
                signals = np.linspace(lowest, BOUNDS[1], 61)
                values = np.stack([self.nll(np.full(len(alpha), m), alpha) for m in signals])
                best = signals[values.argmin(0)]
                values = values.min(0)
            else:
                values, best = self.nll(np.full(len(alpha), mu), alpha), np.full(len(alpha), mu)
            block = values.reshape([len(grid)] * self.n)
            low = np.ones(block.shape, bool)
            for axis, step in itertools.product(range(self.n), (1, -1)):
                beside = np.roll(block, step, axis)
                edge = [slice(None)] * self.n
                edge[axis] = 0 if step == 1 else -1
                beside[tuple(edge)] = np.inf
                low &= block <= beside
            candidates = np.flatnonzero(low.ravel())
            candidates = candidates[np.argsort(values[candidates])][:6]
            starts = [(best[i], *alpha[i]) for i in candidates]
        else:
            alpha = self.rng.normal(0, 1.5, (self.starts, self.n))
            alpha[: 2**self.n] = 1.2 * np.array(list(itertools.product([-1, 1], repeat=self.n)))
            starts = [(self.rng.uniform(-1, 4) if mu is None else mu, *a) for a in alpha]
        starts = np.array(starts, float)
        if mu is None:
            limits = np.array([(lowest, BOUNDS[1])] + [(-5.0, 5.0)] * self.n)
            return _least(lambda x: self.nll(x[..., 0], x[..., 1:]), starts, limits)
        limits = np.array([(-5.0, 5.0)] * self.n)
        return _least(lambda x: self.nll(np.full(x.shape[:-1], mu), x), starts[:, 1:], limits)

    def asimov(self, alpha):
        """The referee of the data expected at ``alpha`` without signal."""
        other = object.__new__(Referee)
        other.__dict__.update(self.__dict__)
        rates = self.rates(0.0, alpha)
        other.counts, other.auxiliary = np.where(rates > 1e-4, rates, 0.0), np.asarray(alpha)  # as far as fits overstep
        return other


@np.errstate(invalid="ignore")
def _least(target, start, limits, steps=60):
    """Least value of ``target`` [start] and where: damped Newton on finite differences, from all starts at once."""
    low, high = limits.T
    x, dim, h = np.clip(start, low + 1e-3, high - 1e-3), start.shape[1], 1e-4
    value, lengths = target(x), np.array([1.0, 0.5, 0.2, 0.05, 0.01, 0.001])
    unit = np.eye(dim) * h
    for _ in range(steps):
        shifts = np.stack([unit, -unit])  # side, axis, parameter
        beside = target(x + shifts[:, :, None])
        pairs = target(x + unit[:, None, None] + unit[None, :, None])
        gradient = np.moveaxis(beside[0] - beside[1], 0, -1) / (2 * h)
        hessian = (pairs - beside[0][:, None] - beside[0][None] + value) / h**2
        hessian[np.arange(dim), np.arange(dim)] = (beside[0] - 2 * value + beside[1]) / h**2
        hessian = np.moveaxis(hessian, -1, 0)
        finite = np.isfinite(hessian).all((1, 2)) & np.isfinite(gradient).all(1)
        hessian[~finite], gradient[~finite] = np.eye(dim), 0.0
        fixed = ((x <= low + 2 * h) & (gradient > 0)) | ((x >= high - 2 * h) & (gradient < 0))
        gradient[fixed] = 0.0
        hessian[fixed[:, :, None] | fixed[:, None, :]] = 0.0
        hessian[:, np.arange(dim), np.arange(dim)] += fixed
        eigen, vector = np.linalg.eigh(hessian)
        step = -np.einsum("sij,sj,skj,sk->si", vector, 1 / np.maximum(abs(eigen), 1e-3), vector, gradient)
        trial = np.clip(x + lengths[:, None, None] * step, low + h, high - h)
        values = target(trial)
        which = np.where(np.isfinite(values), values, np.inf).argmin(0)
        best = values[which, np.arange(len(x))]
        better = best < value
        if not better.any() or (value - best)[better].max() < 1e-11:
            break
        x, value = np.where(better[:, None], trial[which, np.arange(len(x))], x), np.where(better, best, value)
    i = int(np.argmin(value))
    return float(value[i]), x[i]


def _code4(up, down):
    """Coefficients of α … α⁶: value, slope and curvature of up^α and down^−α at ±1, value 1 at 0."""
    powers = np.arange(1, 7)
    rows, target = [], []
    for sign, factor in ((1, up), (-1, down)):
        log = sign * np.log(factor)
        rows += [sign**powers, powers * sign ** (powers - 1), powers * (powers - 1) * sign**powers]
        target += [factor - 1, log * factor, log**2 * factor]
    return np.tensordot(np.linalg.inv(np.array(rows, float)), np.array(target), 1)
