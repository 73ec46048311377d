import threading
from concurrent.futures import ThreadPoolExecutor

from verax.run import map_chunks


def test_results_keep_the_order_of_the_chunks():
    with ThreadPoolExecutor(3) as pool:
        assert list(map_chunks(lambda i: i * i, range(50), executor=pool)) == [i * i for i in range(50)]
    assert list(map_chunks(lambda i: i * i, range(50))) == [i * i for i in range(50)]


def test_chunks_are_read_only_so_far_ahead():
    """Memory is bounded: a chunk is read only when a result has been taken."""
    read = []
    gate = threading.Event()

    def chunks():
        for i in range(100):
            read.append(i)
            yield i

    with ThreadPoolExecutor(2) as pool:
        results = map_chunks(lambda i: (gate.wait(), i)[1], chunks(), executor=pool, ahead=4)
        gate.set()
        first = next(results)
        assert first == 0
        assert len(read) <= 5
        assert list(results) == list(range(1, 100))
