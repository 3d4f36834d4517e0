"""The memory of a process and all its descendants, watched from outside."""

from __future__ import annotations

import threading


class Peak:
    """The largest sum of their proportional set sizes so far, in MB; sampled every 0.2 s."""

    def __init__(self, pid: int) -> None:
        self.mb = 0.0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        import psutil

        while not self._done.wait(0.2):
            total = 0
            try:
                root = psutil.Process(self._pid)
                for each in [root, *root.children(recursive=True)]:
                    total += each.memory_full_info().pss
            except psutil.Error:
                continue
            self.mb = max(self.mb, total / 1e6)

    def stop(self) -> None:
        self._done.set()
        self._thread.join()
