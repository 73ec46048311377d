"""How far does the embedded measurement move when its networks are trained with other seeds?

Usage: python benchmarks/training_seeds.py [--seeds 1 2 3 4 5]

Training amplifies rounding, so another processor is one more seed: what moves with the seed moves with the machine. The
seed of the analysis is varied; on expected (Asimov) data nothing but the networks depends on it. Prints the expected total
uncertainty of the signal strength, half the width of its interval, for each seed, their mean and standard deviation.
"""

import argparse
import time

import numpy as np

from verax.analysis import load
from verax.pipeline import measure


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3, 4, 5])
    print("| seed | expected σ(μ) | s |\n| --: | --: | --: |")
    found = []
    for seed in parser.parse_args().seeds:
        begun = time.perf_counter()
        made = measure(load(settings=[f"seed={seed}", "check.toys=20", "check.shifts=false"]))
        found.append(float(made.intervals["expected"].width) / 2)
        print(f"| {seed} | {found[-1]:.3f} | {time.perf_counter() - begun:.0f} |", flush=True)
    print(f"mean {np.mean(found):.3f}, standard deviation {np.std(found, ddof=1):.3f} of {len(found)} seeds")


if __name__ == "__main__":
    main()
