"""Ctrl-C, SIGTERM and a closed terminal: they may come at any moment, and the run stops between two updates."""

from __future__ import annotations

import signal
import threading

ALWAYS = (signal.SIGINT, signal.SIGTERM)
SIGNALS = [*ALWAYS, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]  # Windows has no SIGHUP


class SignalHandler:
    """While active, the first SIGINT, SIGTERM or SIGHUP is only stored; a second Ctrl-C stops at once.

    An ignored SIGHUP stays ignored: `nohup` does that, so that the run goes on without its terminal.
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
        if threading.current_thread() is threading.main_thread():  # Python allows handlers only there
            for number in SIGNALS:
                if number in ALWAYS or signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
