"""zstd with bounds: a frame never expands beyond what its reader allows."""

from __future__ import annotations

import zstandard

from hardware.errors import DecodeError

LEVEL = 9
_WINDOW = 1 << 22


def deflate(data: bytes) -> bytes:
    """One zstd frame without magic, checksum or content size."""
    parameters = zstandard.ZstdCompressionParameters.from_level(
        LEVEL,
        source_size=len(data),
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        write_content_size=False,
        write_checksum=False,
    )
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


def inflate(data: bytes, limit: int) -> bytes:
    """The content of a frame by `deflate`; DecodeError when it is damaged or larger than `limit` bytes."""
    engine = zstandard.ZstdDecompressor(max_window_size=_WINDOW, format=zstandard.FORMAT_ZSTD1_MAGICLESS)
    stream = engine.stream_reader(data, read_size=len(data) or 1)
    try:
        out = stream.read(limit + 1)
    except zstandard.ZstdError as error:
        raise DecodeError("zstd frame damaged") from error
    if len(out) > limit:
        raise DecodeError("zstd frame too large")
    return out
