"""Map a pure function over chunks on any executor, in order and with bounded memory."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_chunks(
    function: Callable[[T], R], chunks: Iterable[T], *, executor: Executor | None = None, ahead: int = 4
) -> Iterator[R]:
    """Results of ``function`` for each chunk, in the order of the chunks.

    Parameters
    ----------
    function : pure; its result must not depend on where it runs
    chunks : read lazily; at most ``ahead`` of them are under way at once
    executor : any ``concurrent.futures.Executor`` (threads, processes, Dask's ``client.get_executor()``);
        None runs serially in this thread
    """
    if executor is None:
        yield from map(function, chunks)
        return
    waiting: deque[Future[R]] = deque()
    source = iter(chunks)
    for chunk in itertools.islice(source, ahead):
        waiting.append(executor.submit(function, chunk))
    while waiting:
        result = waiting.popleft().result()
        for chunk in itertools.islice(source, 1):
            waiting.append(executor.submit(function, chunk))
        yield result
