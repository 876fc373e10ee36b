"""A budget is spent where it says; a signal lets the current batch be finished, and a second one does not."""

import math
import signal
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairforge.errors import InputError
from pairforge.stopping import Budget, finish_batch_on_signal


def test_no_limit_is_never_reached() -> None:
    assert Budget(tokens=10**9, failures=10**9).spent() is None


@given(st.integers(1, 100), st.integers(0, 100))
def test_limits_are_reached_where_they_say(limit: int, used: int) -> None:
    assert (Budget(max_tokens=limit, tokens=used).spent() is not None) == (used >= limit)
    assert (Budget(max_cost=limit / 100, cost=used / 100).spent() is not None) == (used >= limit)
    assert (Budget(max_failures=limit, failures=used).spent() is not None) == (used > limit)
    begun = time.monotonic() - used * 60
    assert (Budget(max_minutes=limit + 0.5, start=begun).spent() is not None) == (used > limit)


def test_what_was_reached_is_said_as_its_option() -> None:
    assert Budget(max_tokens=5, tokens=5).spent() == "--max-tokens 5"


@pytest.mark.parametrize("name", ["max_minutes", "max_tokens", "max_cost", "max_failures"])
@pytest.mark.parametrize("value", [-1, math.nan])
def test_a_budget_of_nothing_is_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match="--max-"):
        Budget(**{name: value})  # type: ignore[arg-type]
    assert Budget(max_failures=0).spent() is None


CHILD = """
import signal, sys, time
from pairforge.stopping import finish_batch_on_signal
done = 0
try:
    with finish_batch_on_signal(seconds={seconds}) as stopping:
        print("ready", flush=True)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            time.sleep({batch})
            done += 1
            if stopping():
                break
    print("went on")
except KeyboardInterrupt:
    print("interrupted after", done)
"""


def child(seconds: float, batch: float, signals: int) -> tuple[str, str, float]:
    """What a process said that got so many SIGINTs in a batch, and how long it took to end after the last."""
    code = CHILD.format(seconds=seconds, batch=batch)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    for _ in range(signals):
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
    start = time.monotonic()
    said, words = process.communicate(timeout=60)
    return said, words, time.monotonic() - start


def test_one_signal_waits_for_the_batch() -> None:
    said, words, _ = child(seconds=30, batch=1.0, signals=1)
    assert said == "interrupted after 1\n"
    assert "stopping after the current batch" in words


def test_a_second_signal_does_not_wait() -> None:
    assert child(seconds=30, batch=15.0, signals=2)[0] == "interrupted after 0\n"


def test_a_batch_has_only_so_many_seconds() -> None:
    assert child(seconds=0.2, batch=15.0, signals=1)[0] == "interrupted after 0\n"


def test_a_block_within_another_leaves_the_signal_to_that_one(capfd: pytest.CaptureFixture[str]) -> None:
    ended = list[bool]()

    def both(interrupted: bool) -> None:
        with finish_batch_on_signal(30) as outer:
            with finish_batch_on_signal(30) as inner:
                if interrupted:
                    signal.raise_signal(signal.SIGINT)
                ended.append(inner())
            ended.append(outer())

    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # that of the commands ends the process
    try:
        with pytest.raises(KeyboardInterrupt):
            both(interrupted=True)
        both(interrupted=False)
    finally:
        signal.signal(signal.SIGINT, usual)
    assert ended == [True, True, False, False]
    assert capfd.readouterr().err.count("stopping after the current batch") == 1


def test_handlers_are_put_back_and_threads_are_left_alone() -> None:
    usual = signal.getsignal(signal.SIGTERM)
    with finish_batch_on_signal() as stopping:
        assert signal.getsignal(signal.SIGTERM) is not usual and not stopping()
    assert signal.getsignal(signal.SIGTERM) is usual

    def inside() -> None:
        with finish_batch_on_signal() as stopping:
            assert signal.getsignal(signal.SIGTERM) is usual and not stopping()

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()


def test_a_signal_that_is_ignored_stays_so() -> None:
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with finish_batch_on_signal() as stopping:
            signal.raise_signal(signal.SIGINT)
            assert not stopping()
    finally:
        signal.signal(signal.SIGINT, usual)
