"""The root of every error the toolkit raises.

SanduanError
 + ConfigError        the operator's file is wrong: names file, key, value and what is allowed
 + DecodeError        bytes from outside are not what they claim; the only exception a decoder lets out
 + PortError          PortMissing, PortBusy, PortLost, PortSilent: retry with back-off
 + LinkError          LinkDown, LinkBusy (retry after .wait_s), FrameTooLong (the caller's fault)
 + StoreError         StoreFull, StoreReadOnly, StoreNewer, StoreCorrupt
 + SealError          a block, frame, signature or certificate that must not be trusted
"""

from __future__ import annotations


class SanduanError(Exception):
    """Root of the tree; its text is fit to be shown to an operator."""


class ConfigError(SanduanError):
    """A configuration value is wrong; says file, key, value (None: there is none) and what is allowed."""

    def __init__(self, file: str, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{file}: {key}: {allowed}" if value is None else f"{file}: {key} = {value!r}: {allowed}")
        self.file, self.key, self.value, self.allowed = file, key, value, allowed


class DecodeError(SanduanError):
    """Bytes from outside are malformed; the only exception that leaves a decoder."""


class PortError(SanduanError):
    """A device's port cannot be used now."""


class PortMissing(PortError):
    """No port matches the name in the configuration."""


class PortBusy(PortError):
    """Another program holds the port."""


class PortLost(PortError):
    """The port was open and went away."""


class PortSilent(PortError):
    """The port is open and nothing valid came within its idle limit."""


class LinkError(SanduanError):
    """A bearer cannot take a frame now."""


class LinkDown(LinkError):
    """The bearer has no link."""


class LinkBusy(LinkError):
    """The bearer's budget or queue is spent; try again after `wait_s` seconds."""

    def __init__(self, why: str, wait_s: float) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class FrameTooLong(LinkError):
    """A frame is longer than the bearer's MTU: a defect of the caller."""


class StoreError(SanduanError):
    """The local store cannot do what was asked."""


class StoreFull(StoreError):
    """No space is left, even after the ballast was given up."""


class StoreReadOnly(StoreError):
    """The store's file or file system refuses writes."""


class StoreNewer(StoreError):
    """The store was written by a newer version of the program."""


class StoreCorrupt(StoreError):
    """The store's file is damaged."""


class SealError(SanduanError):
    """A tag, MAC, signature or certificate does not hold."""
