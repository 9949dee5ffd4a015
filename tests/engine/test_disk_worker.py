"""The threads of the disk tier."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from mullama.engine.disk.worker import LEAST_PRIORITY, Worker, yield_to_others


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
@pytest.mark.parametrize("in_background", [False, True])
def test_only_a_worker_in_the_background_leaves_the_processor_to_others(
    in_background: bool,
) -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    ours, found = priority(), []
    worker = Worker("test")
    worker.start()
    if in_background:
        worker.put(yield_to_others)
    worker.put(lambda: found.append(priority()))
    worker.stop()
    assert worker.join(10)
    assert found == [LEAST_PRIORITY if in_background else ours]
    assert priority() == ours
