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


class Background:
    """One step after another in a thread of its own, until the body has ended; the first failure is the test's."""

    # Seconds between two steps, and those that the last may take.
    pause, patience = 0.0, 60.0

    def __init__(self):
        self.failure, self.is_over = None, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def step(self):
        raise NotImplementedError

    def run(self):
        while not self.is_over.wait(self.pause):
            try:
                self.step()
            except BaseException as error:  # Told to the test by __exit__.
                self.failure = error
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join(self.patience)
        assert self.failure is None, self.failure
        assert not self.thread.is_alive()
