"""A message when something takes long. No torch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS = 2.5  # of silence, and a line has appeared before the third


@contextmanager
def after_a_while(say: Callable[[], None]) -> Iterator[None]:
    """Call `say`, from another thread, if what happens inside is not over within SECONDS."""
    timer = threading.Timer(SECONDS, say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
