"""Codecs: rows, events and stream descriptions as the bytes of a block's body, and back. Pure, deterministic, integers only."""

from __future__ import annotations

from sync.codec.events import decode_events, decode_streams, encode_events, encode_streams
from sync.codec.rows import decode_batches, encode_batches, encode_within

__all__ = [
    "decode_batches",
    "decode_events",
    "decode_streams",
    "encode_batches",
    "encode_events",
    "encode_streams",
    "encode_within",
]
