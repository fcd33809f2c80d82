"""The exchange between nodes: replication over any bearers, sans-IO."""

from sync.exchange.exchange import Exchange
from sync.exchange.forecast import Promise, State
from sync.exchange.packing import Outgoing
from sync.exchange.policy import Policy

__all__ = ["Exchange", "Outgoing", "Policy", "Promise", "State"]
