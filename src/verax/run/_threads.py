"""Threads for work that goes side by side; JAX and NumPy leave Python alone while they compute."""

import os
from concurrent.futures import ThreadPoolExecutor


def side_by_side(most: int | None = None) -> ThreadPoolExecutor:
    """One thread on each core that this process may use, at most ``most``."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ThreadPoolExecutor(min(cores, most or cores))
