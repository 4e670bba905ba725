"""Clocks: the host's clock is wrong, jumps, or stood still; the sandbox keeps the true time.

The session's clocks are moved by hand, and so is the sandbox's: nothing here waits.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

from drills.frame import Result, drill

from litellm_qwen_ai.oauth import FileStore, Session
from litellm_qwen_ai.oauth.clocks import Clocks
from litellm_qwen_ai.oauth.memory import ADVISORY
from litellm_qwen_ai.sandbox import Sandbox

GROUP = "Clocks"
HOUR = 3600.0  # seconds
LIFETIME = 6 * HOUR
STEP = 600.0  # seconds between two calls
MOST_TRIES = 5


class Host:
    """A host whose clock shows the true time plus `off`. Its calls do what the provider does."""

    def __init__(self, sandbox: Sandbox, folder: Path, off: float = 0.0) -> None:
        self.off = off
        self.calls = self.refused = self.worst = 0
        self._sandbox, self._monotonic = sandbox, 1000.0
        self._store = FileStore(folder)
        self._session = Session(
            self._store,
            oauth_base_url=sandbox.url,
            clocks=Clocks(self.now, lambda: self._monotonic, self.pass_time),
        )

    def now(self) -> float:
        return self._sandbox.now() + self.off

    def pass_time(self, seconds: float) -> None:
        self._sandbox.advance(seconds)
        self._monotonic += seconds

    def call(self) -> None:
        """A chat call: on a 401 a renewal, and another try."""
        before = self._store.look()
        token, refused = self._session.get().access_token, 0
        while not self._sandbox.accepts(token) and refused < MOST_TRIES:
            refused += 1
            token = self._session.get(rejected=token).access_token
        self.calls, self.refused, self.worst = (
            self.calls + 1,
            self.refused + refused,
            max(self.worst, refused),
        )
        self._settle()
        if self._store.look() != before:  # a file's time is the kernel's clock, which is not moved here
            os.utime(self._store.path, (self.now(), self.now()))

    def _settle(self) -> None:
        """Wait for a renewal that went on while the old token was served."""
        for thread in threading.enumerate():
            if thread.name == "qwen-ai-renew":
                thread.join()


Script = Callable[[list[Host], int], None]  # what happens before the call with this number


def told(  # noqa: PLR0913, PLR0917  # what one story takes
    folder: Path,
    calls: int,
    script: Script,
    apart: float,
    lifetime: float = LIFETIME,
    offs: tuple[float, ...] = (0.0,),
) -> Result:
    """Make calls from one host, or from several in turn.

    Args:
        folder: For the login.
        calls: How many calls.
        script: Moves the clocks.
        apart: The least true time between two refreshes that is no storm, in seconds.
        lifetime: Of an access token, in seconds.
        offs: How far off the clock of each host is, in seconds.
    """
    with Sandbox(token_lifetime=lifetime) as sandbox:
        sandbox.write_credentials(folder)
        hosts = [Host(sandbox, folder, off) for off in offs]
        begun = sandbox.now()
        for number in range(calls):
            script(hosts, number)
            hosts[number % len(hosts)].call()
        refreshes, most = sandbox.counts.refreshes, int((sandbox.now() - begun) / apart) + 1
    refused, worst = sum(host.refused for host in hosts), max(host.worst for host in hosts)
    failures = max(0, worst - 1) + max(0, refreshes - most) + (refreshes == 0)
    hours = (sandbox.now() - begun) / HOUR
    note = f"{refreshes} refreshes in {hours:,.1f} h (storm: over {most}); {refused} x 401, {worst} in a row"
    return Result(calls, failures, note=note)


def walk(hosts: list[Host], _number: int) -> None:
    hosts[0].pass_time(STEP)


def off_by(seconds: float, folder: Path, calls: int) -> Result:
    """The clock is wrong, and stays so."""
    return told(folder, calls, walk, LIFETIME - ADVISORY - STEP, offs=(seconds,))


def jumping(folder: Path, calls: int) -> Result:
    """The clock jumps by an hour either way between any two calls."""
    moves = random.Random(4)  # noqa: S311  # no secret

    def script(hosts: list[Host], number: int) -> None:
        walk(hosts, number)
        hosts[0].off = moves.choice((-HOUR, 0.0, HOUR))

    return told(folder, calls, script, LIFETIME - 2 * HOUR - ADVISORY - STEP)


def suspended(folder: Path, calls: int, *, clock_stands: bool) -> Result:
    """A laptop sleeps for eight hours after every third call; its clock may find out only one call later."""

    def script(hosts: list[Host], number: int) -> None:
        hosts[0].off = 0.0
        if number % 3 == 2:
            hosts[0]._sandbox.advance(8 * HOUR)  # the monotonic clock stands
            hosts[0].off = -8 * HOUR if clock_stands else 0.0
        else:
            walk(hosts, number)

    # What was renewed before the clock found out looks dead after it: two for each night.
    return told(folder, calls, script, 4 * HOUR if clock_stands else LIFETIME - ADVISORY - STEP)


def short_lived(seconds: float, folder: Path, calls: int) -> Result:
    """Tokens of 20 seconds, a call each second, a wrong clock."""
    return told(folder, calls, lambda hosts, _: hosts[0].pass_time(1.0), 20 * 0.75, 20.0, (seconds,))


def two_hosts(folder: Path, calls: int) -> Result:
    """Two hosts share the file; tokens live half an hour, and their clocks are an hour apart."""

    def script(hosts: list[Host], _number: int) -> None:
        for host in hosts:
            host._monotonic += 60.0
        hosts[0]._sandbox.advance(60.0)

    return told(folder, calls, script, (0.5 * HOUR - ADVISORY) / 2, 0.5 * HOUR, (0.0, HOUR))


@drill(GROUP, "clock an hour ahead")
def ahead(folder: Path) -> Result:
    return off_by(HOUR, folder, 1000)


@drill(GROUP, "clock an hour behind")
def behind(folder: Path) -> Result:
    return off_by(-HOUR, folder, 1000)


@drill(GROUP, "clock jumps by up to two hours between any two calls")
def jumps(folder: Path) -> Result:
    return jumping(folder, 1000)


@drill(GROUP, "laptop suspended for eight hours, again and again")
def sleeps(folder: Path) -> Result:
    return suspended(folder, 150, clock_stands=False)


@drill(GROUP, "the same, and its clock finds out one call later")
def sleeps_unknowing(folder: Path) -> Result:
    return suspended(folder, 150, clock_stands=True)


@drill(GROUP, "tokens of 20 s, clock an hour ahead")
def short_ahead(folder: Path) -> Result:
    return short_lived(HOUR, folder, 1000)


@drill(GROUP, "tokens of 20 s, clock an hour behind")
def short_behind(folder: Path) -> Result:
    return short_lived(-HOUR, folder, 1000)


@drill(GROUP, "two hosts an hour apart share the login, tokens of half an hour")
def shared(folder: Path) -> Result:
    return two_hosts(folder, 1000)
