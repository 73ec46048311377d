"""One epoch of INFERNO on the three-dimensional mixture (benchmark 2), against the same steps in PyTorch.

Usage: python benchmarks/inferno.py [EVENTS of each process]    (PyTorch has to be installed beside verax)

Both train 3-64-64-10 with batches of 2,000 and Adam on the same events: soft bins, their slopes along r and λ by forward
differentiation through the shifts, the information matrix, and the gradient of the expected uncertainty. PyTorch runs on
one thread; CPU and wall seconds are of a warm epoch, compilation is shown by itself.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np

from verax.approaches import inferno
from verax.learn import Training, classifier, train
from verax.problems import Mixture

BATCH, BINS, TEMPERATURE, RATE = 2000, 10, 0.1, 1e-3


def clock(action: Callable[[], Any]) -> tuple[Any, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = action()
    return result, time.perf_counter() - wall, time.process_time() - cpu


def ours(problem: Mixture, events: Any) -> None:
    loss = inferno(events, problem.systematics, {"mu": problem.signal}, temperature=TEMPERATURE)
    network = classifier(jax.random.key(1), events, problem.features, width=64, depth=2, outputs=BINS)
    run = partial(train, jax.random.key(2), network, loss, events)
    one = Training(epochs=1, batch=BATCH, learning_rate=RATE)
    _, wall, cpu = clock(lambda: run(training=one))
    print(f"verax, first epoch (compiling)  {wall:8.2f} s wall {cpu:8.2f} s CPU")
    _, wall1, cpu1 = clock(lambda: run(training=one))
    result, wall, cpu = clock(lambda: run(training=replace(one, epochs=6)))
    seconds = (wall - wall1) / 5, (cpu - cpu1) / 5
    sigma = 50 * np.exp(result.history.train)
    told = f"{seconds[0]:8.3f} s wall {seconds[1]:8.3f} s CPU   σ {sigma[0]:.2f} → {sigma[-1]:.2f}"
    print(f"verax, an epoch                 {told}")


def theirs(problem: Mixture, events: Any) -> None:
    import torch
    from torch.func import functional_call, jvp, vmap

    torch.manual_seed(1)
    torch.set_num_threads(1)  # with two, and other work on the cores, its threads wait for each other: 30 times slower
    x = torch.tensor(np.asarray(events.x), dtype=torch.float32)
    is_signal = torch.tensor(np.asarray(events.process) == 0)
    centre, scale = x.mean(0), x.std(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(3, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, BINS)
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    yields = torch.tensor([50.0, 1000.0])

    def step(rows: torch.Tensor) -> torch.Tensor:
        points, signal = x[rows], is_signal[rows]
        one_hot = torch.stack([signal, ~signal]).float()
        weights = dict(network.named_parameters())

        def rates(theta: torch.Tensor) -> torch.Tensor:
            move = theta[0:1] * torch.tensor([0.4, 0.0, 0.0])
            factor = torch.tensor([1.0, 1.0, 0.0]) + torch.tensor([0.0, 0.0, 3.0]) / (3 + theta[1:2])
            moved = torch.where(signal[:, None], points, (points + move) * factor)
            outputs = functional_call(network, weights, ((moved - centre) / scale,))
            shares = torch.softmax(outputs / TEMPERATURE, dim=1)
            return (yields / one_hot.sum(1))[:, None] * (one_hot @ shares)

        zero = torch.zeros(2)
        nominal = rates(zero)
        slopes = vmap(lambda direction: jvp(rates, (zero,), (direction,))[1])(torch.eye(2))
        total = nominal.sum(0).clamp_min(1e-3)
        derivative = torch.cat([nominal[:1], slopes.sum(1)])
        information = (derivative / total) @ derivative.T
        return 0.5 * torch.log(torch.linalg.inv(information)[0, 0])

    def epoch() -> float:
        order, values = torch.randperm(len(x)), []
        for start in range(0, len(x), BATCH):
            optimizer.zero_grad()
            value = step(order[start : start + BATCH])
            value.backward()
            optimizer.step()
            values.append(float(value.detach()))
        return 50 * float(np.exp(np.mean(values)))

    first = epoch()
    (_, *_, last), wall, cpu = clock(lambda: [epoch() for _ in range(5)])
    print(f"PyTorch, an epoch               {wall / 5:8.3f} s wall {cpu / 5:8.3f} s CPU   σ {first:.2f} → {last:.2f}")


def main() -> None:
    problem = Mixture(benchmark=2)
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    events = jax.tree.map(np.asarray, problem.sample(jax.random.key(7), {}, n))
    ours(problem, events)
    try:
        theirs(problem, events)
    except ImportError as error:
        print(f"PyTorch: {error}; not compared")


if __name__ == "__main__":
    main()
