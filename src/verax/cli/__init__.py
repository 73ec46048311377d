"""The command line: measurements, questions about workspaces, changed workspaces. Imports JAX only when work begins."""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; any failure is one line on standard error and a non-zero exit, a stop while it starts too."""
    before, sys.unraisablehook = sys.unraisablehook, _stop_again
    try:
        from ._main import main as run

        run(arguments)
    except KeyboardInterrupt:
        print("verax: stopped", file=sys.stderr)
        sys.exit(130)
    finally:
        sys.unraisablehook = before
        if arguments is None:  # all is said: while Python itself ends, no interrupt changes that, and SIGTERM is quiet
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _stop_again(unraisable: Any) -> None:
    """Python drops an interrupt that arrives in a callback, such as JAX has when garbage is collected: send it again."""
    if unraisable.exc_type is KeyboardInterrupt:
        # A process in the background ignores SIGINT; SIGTERM ends verax likewise.
        how = signal.SIGTERM if signal.getsignal(signal.SIGINT) == signal.SIG_IGN else signal.SIGINT
        threading.Timer(0.01, os.kill, (os.getpid(), how)).start()
    else:
        sys.__unraisablehook__(unraisable)
