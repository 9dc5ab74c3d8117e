"""digits.signals: which signals are caught, by all who catch some."""
import argparse
import os
import signal
import threading

import pytest

from digits import signals
from digits.cluster import local
from digits.cluster.watchdog import Watchdog
from digits.signals import Signals

pytestmark = pytest.mark.skipif(os.name == 'nt', reason='Windows has no signals to send')
BOTH = signal.SIGINT, signal.SIGTERM


@pytest.fixture(params=[signal.SIG_IGN, signal.default_int_handler], ids=['ignored', 'default'])
def sigint(request):
    """How SIGINT was handled at the start."""
    before = signal.signal(signal.SIGINT, request.param)
    yield request.param
    signal.signal(signal.SIGINT, before)


def watchdog():
    watched = Watchdog(argparse.Namespace(wait=60, ps_hosts=['127.0.0.1:1'],
                                          worker_hosts=['127.0.0.1:2'], job_name='worker',
                                          task_index=0))
    return watched.start, watched.close


def as_context(context):
    return context.__enter__, lambda: context.__exit__(SystemExit, None, None)


@pytest.mark.parametrize('make', [
    lambda: as_context(Signals()), watchdog,
    lambda: as_context(local.ProcessGroup(quiet=True))], ids=['run', 'worker', 'local cluster'])
def test_an_ignored_sigint_stays_ignored_and_all_is_restored(make, sigint):
    before = [signal.getsignal(number) for number in BOTH]
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    enter, leave = make()
    enter()
    during = [signal.getsignal(number) for number in BOTH]
    leave()
    assert (during[0] == signal.SIG_IGN) == (sigint == signal.SIG_IGN)
    assert during[1] not in (before[1], signal.SIG_IGN)
    assert sigint == signal.SIG_IGN or during[0] == during[1]
    assert [signal.getsignal(number) for number in BOTH] == before
    assert signal.set_wakeup_fd(wakeup) == wakeup


def test_what_is_caught_is_restored(sigint):
    received = []
    handlers = signals.catch(lambda number, frame: received.append(number))
    for number in BOTH:
        os.kill(os.getpid(), number)
    signals.restore(handlers)
    assert received == [number for number in BOTH
                        if number != signal.SIGINT or sigint != signal.SIG_IGN]
    assert signal.getsignal(signal.SIGINT) == sigint


def test_outside_of_the_main_thread_nothing_is_caught():
    before, caught = [signal.getsignal(number) for number in BOTH], []
    thread = threading.Thread(target=lambda: caught.append(signals.catch(print)))
    thread.start()
    thread.join()
    assert caught == [{}]
    assert [signal.getsignal(number) for number in BOTH] == before
