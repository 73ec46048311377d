"""Worker processes that stop when the work stops: interrupted or killed, none outlives the process that began them."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager

LOOKS = 0.5
"""Seconds between two looks of a worker at whether its parent is alive."""


@contextmanager
def workers(n: int) -> Iterator[Executor | None]:
    """Give an executor with ``n`` processes; None for one, where the work stays in this process.

    When the block ends by an exception, what they are doing is given up.
    """
    if n <= 1:
        yield None
        return
    # A forked child would inherit JAX's threads in an undefined state.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n, mp_context=context, initializer=_begin, initargs=(os.getpid(),)) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _begin(parent: int) -> None:
    """In a worker: leave it to the parent to be interrupted, and end when it is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOKS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
