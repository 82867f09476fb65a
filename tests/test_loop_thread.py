import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from flashlite.errors import ConfigError
from flashlite.loop_thread import LoopThread
from flashlite.sync import run_sync


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    thread = LoopThread("a-loop-of-the-tests")
    yield thread
    thread.stop()


class Waiter:
    """A coroutine that waits for ever, and says when it began and how it ended."""

    def __init__(self) -> None:
        self.began: Future[None] = Future()
        self.ended: Future[str] = Future()

    async def __call__(self) -> None:
        try:
            self.began.set_result(None)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended.set_result("cancelled")
            raise


async def where_am_i() -> tuple[str, int]:
    return threading.current_thread().name, id(asyncio.get_running_loop())


async def fail(error: BaseException) -> None:
    raise error


async def same(value: int) -> int:
    return value


def test_all_threads_share_one_loop_in_a_thread_of_its_own(thread: LoopThread) -> None:
    with ThreadPoolExecutor(20) as pool:
        everywhere = set(pool.map(lambda _: thread.run_sync(where_am_i()), range(200)))
    ((name, _),) = everywhere
    assert name == "a-loop-of-the-tests"


def test_every_caller_gets_its_own_answer(thread: LoopThread) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: thread.run_sync(same(n)), range(200)))
    assert answers == list(range(200))


def test_calls_from_many_threads_run_at_the_same_time(thread: LoopThread) -> None:
    here, everybody = list[None](), asyncio.Event()

    async def meet() -> int:
        here.append(None)
        if len(here) == 8:
            everybody.set()
        await everybody.wait()
        return len(here)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: thread.run_sync(meet()), range(8))) == [8] * 8


async def test_run_sync_works_inside_a_running_loop(thread: LoopThread) -> None:
    assert thread.run_sync(same(1)) == 1
    assert run_sync(same(2)) == 2


async def test_run_keeps_the_loop_of_the_caller_alive(thread: LoopThread) -> None:
    """The call ends only after the caller's loop has done something meanwhile."""
    called, heartbeat = asyncio.Event(), asyncio.Event()
    here = asyncio.get_running_loop()

    async def wait_for_heartbeat() -> str:
        there, beaten = asyncio.get_running_loop(), asyncio.Event()
        heart = asyncio.run_coroutine_threadsafe(heartbeat.wait(), here)
        heart.add_done_callback(lambda _: there.call_soon_threadsafe(beaten.set))
        here.call_soon_threadsafe(called.set)
        await beaten.wait()
        return "heard it"

    async def beat() -> None:
        await called.wait()
        heartbeat.set()

    answer, _ = await asyncio.gather(thread.run(wait_for_heartbeat()), beat())
    assert answer == "heard it"


async def test_many_calls_of_one_loop_run_at_the_same_time(thread: LoopThread) -> None:
    assert await asyncio.gather(*(thread.run(same(n)) for n in range(100))) == list(range(100))


async def test_cancelling_run_cancels_what_it_waits_for(thread: LoopThread) -> None:
    waiter = Waiter()
    running = asyncio.create_task(thread.run(waiter()))
    await asyncio.wrap_future(waiter.began)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await asyncio.wrap_future(waiter.ended) == "cancelled"


def test_cancelling_what_was_submitted_cancels_it(thread: LoopThread) -> None:
    waiter = Waiter()
    future = thread.submit(waiter())
    waiter.began.result()
    future.cancel()
    assert waiter.ended.result() == "cancelled"


async def test_run_passes_an_exception_on(thread: LoopThread) -> None:
    error = ValueError("wrong")
    with pytest.raises(ValueError, match=r"^wrong$") as caught:
        await thread.run(fail(error))
    assert caught.value is error


def test_run_sync_passes_an_exception_on(thread: LoopThread) -> None:
    error = ValueError("wrong")
    with pytest.raises(ValueError, match=r"^wrong$") as caught:
        thread.run_sync(fail(error))
    assert caught.value is error


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_a_coroutine_that_exits_takes_nobody_with_it(
    thread: LoopThread, kind: type[BaseException]
) -> None:
    before, waiter = thread.run_sync(where_am_i()), Waiter()
    other = thread.submit(waiter())
    waiter.began.result()
    with pytest.raises(kind):
        thread.run_sync(fail(kind()))
    assert (thread.run_sync(where_am_i()), other.done()) == (before, False)


def interrupt_who_waits() -> None:
    """Send Ctrl-C as soon as the main thread stands still."""
    main = threading.main_thread().ident
    assert main is not None
    while sys._current_frames()[main].f_code.co_name != "wait":
        os.sched_yield()
    signal.pthread_kill(main, signal.SIGINT)


def test_an_interrupt_while_waiting_cancels_the_coroutine(thread: LoopThread) -> None:
    waiter = Waiter()
    waiter.began.add_done_callback(lambda _: interrupt_who_waits())
    with pytest.raises(KeyboardInterrupt):
        thread.run_sync(waiter())
    assert waiter.ended.result() == "cancelled"


def test_a_loop_does_not_wait_for_itself(thread: LoopThread) -> None:
    async def call_back() -> int:
        return thread.run_sync(same(1))

    with pytest.raises(ConfigError, match=r"^a loop cannot wait for itself: await this call$"):
        thread.run_sync(call_back())


async def test_run_may_be_used_on_the_loop_itself(thread: LoopThread) -> None:
    async def call_back() -> int:
        return await thread.run(same(1))

    assert await thread.run(call_back()) == 1


def test_stop_cancels_tasks_and_closes_generators(thread: LoopThread) -> None:
    log, waiter = list[str](), Waiter()

    async def numbers() -> AsyncGenerator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            log.append("closed")

    generator = numbers()

    async def begin() -> int:
        return await anext(generator)

    assert thread.run_sync(begin()) == 1
    future = thread.submit(waiter())
    waiter.began.result()
    thread.stop()
    assert (log, waiter.ended.result(), future.cancelled()) == (["closed"], "cancelled", True)


def test_stop_ends_the_thread(thread: LoopThread) -> None:
    thread.run_sync(same(1))
    thread.stop()
    assert "a-loop-of-the-tests" not in {one.name for one in threading.enumerate()}


def test_it_starts_anew_after_a_stop(thread: LoopThread) -> None:
    assert thread.run_sync(same(1)) == 1
    thread.stop()
    assert thread.run_sync(same(2)) == 2


def test_stopping_what_never_ran_or_has_stopped_does_nothing(thread: LoopThread) -> None:
    thread.stop()
    thread.run_sync(same(1))
    thread.stop()
    thread.stop()


def test_nothing_starts_before_the_first_call() -> None:
    LoopThread("never-started")
    assert "never-started" not in {one.name for one in threading.enumerate()}


def strict(code: str) -> tuple[int, str, str]:
    """Run code in a strict interpreter of its own."""
    quiet = "import logging; logging.getLogger('asyncio').setLevel(logging.ERROR)\n"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", quiet + code],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_interpreter_exits_quietly_after_a_call() -> None:
    code = """
from flashlite import Flashlite
from flashlite.testing import MockServer
with MockServer() as server:
    client = Flashlite("openai/echo", base_url=server.base_url)
    print(client.complete_sync("hello").content)
"""
    assert strict(code) == (0, "hello\n", "")


def test_the_interpreter_exits_quietly_while_calls_are_running() -> None:
    code = """
import asyncio, threading
from flashlite.loop_thread import LoopThread
thread, began = LoopThread("t"), threading.Event()
async def wait():
    try:
        began.set()
        await asyncio.Event().wait()
    finally:
        print("cancelled")
future = thread.submit(wait())
began.wait()
"""
    assert strict(code) == (0, "cancelled\n", "")


FORK = """
import asyncio, os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
from flashlite.loop_thread import LoopThread
thread = LoopThread("t")
async def where():
    return os.getpid()
assert thread.run_sync(where()) == os.getpid()
child = os.fork()
if not child:
    ok = thread.run_sync(where()) == os.getpid() == thread.run_sync(where())
    {end}
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert thread.run_sync(where()) == os.getpid()
print("the parent goes on")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("end", ["os._exit(7 if ok else 1)", "sys.exit(7 if ok else 1)"])
def test_a_forked_child_gets_a_loop_of_its_own(end: str) -> None:
    assert strict(FORK.format(end=end)) == (0, "the parent goes on\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_client_goes_on_in_a_forked_child() -> None:
    code = """
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from flashlite import Flashlite
from flashlite.testing import MockServer
with MockServer() as server:
    client = Flashlite("openai/echo", base_url=server.base_url)
    assert client.complete_sync("before").content == "before"
    child = os.fork()
    if not child:
        os._exit(7 if client.complete_sync("in the child").content == "in the child" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    print(client.complete_sync("after").content)
"""
    assert strict(code) == (0, "after\n", "")
