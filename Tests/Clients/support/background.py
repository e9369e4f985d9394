"""Work that goes on in threads while a test's body runs."""

import contextlib
import threading


@contextlib.contextmanager
def running(works, patience: float):
    """Each is called with an event that says when it is over, in a thread of its own, until the body has ended. One
    that then does not return within `patience` seconds fails the test."""
    is_over = threading.Event()
    threads = [threading.Thread(target=work, args=(is_over,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join(patience)
    assert not any(thread.is_alive() for thread in threads), "a client hangs"
