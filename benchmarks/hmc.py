"""What do Markov chains over a classifier of HiggsML events cost, beside what their budget says?

Usage: python benchmarks/hmc.py [--events 200 1000 ...] [--budget 3e11]

The classifier of ``learn: {epistemic: hmc}`` (23 features, one hidden layer of 16 units, 401 weights; balanced events,
evenly spaced in the packaged sample) by ``hmc`` with its defaults but for the budget.
"""

import argparse
import time
from dataclasses import replace
from functools import partial

import jax
import numpy as np

from verax.analysis import load
from verax.data import higgsml
from verax.epistemic import hmc
from verax.errors import InputError
from verax.learn import CrossEntropy, balance, classifier

SIGNAL = ("htautau",)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", nargs="*", type=int, default=[200, 1000, 1400, 22889])
    parser.add_argument("--budget", type=float, default=3e11)
    a = parser.parse_args()
    every, features = higgsml.load(), tuple(load(None).features)
    make = partial(classifier, features=features, width=16, depth=1, missing=higgsml.LAYOUT.missing)
    print("| events | CPU s | s | status | R-hat | effective draws |\n| --: | --: | --: | :-- | --: | --: |")
    for n in a.events:
        events = jax.tree.map(np.asarray, every.take(np.linspace(0, len(every) - 1, n).astype(int)))
        events = replace(events, weight=balance(events, SIGNAL).astype(np.float32))
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            found = hmc(jax.random.key(1), make, CrossEntropy(SIGNAL), events, budget=a.budget)
        except InputError as error:
            print(f"| {n} | – | – | refused: {error} | – | – |", flush=True)
            continue
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        least = min(np.nanmin(found.effective), np.nanmin(found.tail))
        status = f"{found.status.name}{': ' * bool(found.problem)}{found.problem}"
        print(f"| {n} | {cpu:.0f} | {wall:.0f} | {status} | {np.nanmax(found.r_hat):.3f} | {least:.0f} |", flush=True)


if __name__ == "__main__":
    main()
