"""Workers end with the process that began them, however it ends."""

import os
import signal
import subprocess
import sys
import time

import pytest

CODE = """
import os, signal, sys, time
from verax.run import workers
from workers_task import sleep
if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with workers(2) as pool:
        tasks = [pool.submit(sleep, 60) for _ in range(4)]
        while len(os.listdir("here")) < 2:
            time.sleep(0.05)
        print("working", flush=True)
        time.sleep(60)
"""
TASK = """
import os, time
def sleep(seconds):
    open(f"here/{os.getpid()}", "w").close()
    time.sleep(seconds)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_parent(how, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "workers_task.py").write_text(TASK)
    (tmp_path / "main.py").write_text(CODE)
    parent = subprocess.Popen([sys.executable, "main.py"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while b"working" not in parent.stdout.readline():
        assert parent.poll() is None, parent.stderr.read()
    pids = [int(name) for name in os.listdir(tmp_path / "here")]
    parent.send_signal(how)
    ended = time.monotonic() + 30.0
    while (left := [pid for pid in pids if running(pid)]) and time.monotonic() < ended:
        time.sleep(0.05)
    parent.communicate()
    assert left == []
    assert len(pids) == 2


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
