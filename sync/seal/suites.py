"""The suites by number. An incident pins one; a number that is not here is refused, never replaced by another."""

from __future__ import annotations

from hardware.errors import SealError
from sync.seal.guomi import SUITE_2
from sync.seal.suite import SUITE_1, Suite

SUITES: dict[int, Suite] = {suite.number: suite for suite in (SUITE_1, SUITE_2)}


def plug(suite: Suite) -> None:
    """Have a module do a suite's work in this process from now on."""
    SUITES[suite.number] = suite


def suite_of(number: int) -> Suite:
    """The suite of a number; SealError for one this program does not have."""
    try:
        return SUITES[number]
    except KeyError:
        raise SealError(f"cipher suite {number} is not known here") from None
