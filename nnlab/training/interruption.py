"""Ctrl-C, SIGTERM and a closed terminal: asked for at any moment, answered between two updates."""

from __future__ import annotations

import signal
import threading

ALWAYS = (signal.SIGINT, signal.SIGTERM)
SIGNALS = [*ALWAYS, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]  # Windows has no SIGHUP


class SignalHandler:
    """While active, the first SIGINT, SIGTERM or SIGHUP is only noted; a second Ctrl-C stops at once.

    A SIGHUP that is ignored stays so: `nohup` ignores it, so that the run outlives its terminal.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, object] = {}

    def __call__(self) -> bool:
        return self.requested

    def _note(self, number: int, frame: object) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True

    def __enter__(self) -> SignalHandler:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            for number in SIGNALS:
                if number in ALWAYS or signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
