"""The bytes of a saved model: a prefix, a JSON header, and arrays.

    prefix   64 bytes: magic, version, header's length, file's length, SHA-256 of all other bytes
    header   JSON in UTF-8: {"arrays": [[type, shape], ...], "content": ...}
    arrays   little-endian, C order, one after the other, each starting at a multiple of 64

Where an array lies follows from the types and shapes before it, so a file cannot describe arrays
that overlap, and the sum of their lengths must be the length of the file, which is compared before
anything is made. The magic has a byte above 127 and both kinds of line end, as PNG's: a file that
was transferred as text is recognised. Nothing in a file is code, and no name in it is looked up.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import SavedModelError

__all__ = ["VERSION", "check_prefix", "pack", "refuse", "unpack"]

MAGIC = b"\x89MIXED\r\n"
VERSION = 1
PREFIX = struct.Struct("<8sIIQQ32s")  # magic, version, zero, header, total, SHA-256
HASHED = PREFIX.size - hashlib.sha256().digest_size
ALIGNMENT = 64
TYPES = ("<f8", "<f4", "<f2", "<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "<u2", "|u1")
LONGEST = 1 << 48  # of one side of an array, even of an empty one

Values = NDArray[Any]


def pack(content: Any, arrays: Sequence[Values]) -> list[bytes | memoryview]:
    """The pieces of a file, in order; their concatenation is what `unpack` reads."""
    stored = [_little_endian(array) for array in arrays]
    described = [[array.dtype.str, list(array.shape)] for array in stored]
    text = json.dumps(
        {"arrays": described, "content": content},
        ensure_ascii=True,
        allow_nan=False,
        separators=(",", ":"),
    )
    header = text.encode("ascii")
    body: list[bytes | memoryview] = [header, bytes(_gap(len(header)))]
    for array in stored:
        body += [array.reshape(-1).view(np.uint8).data, bytes(_gap(array.nbytes))]
    total = PREFIX.size + sum(len(piece) for piece in body)
    known = PREFIX.pack(MAGIC, VERSION, 0, len(header), total, b"")[:HASHED]
    return [known, _checksum([known, *body]), *body]


def unpack(data: bytes) -> tuple[Any, list[Values]]:
    """The content and the arrays (read-only, on the memory of `data`) of a file.

    Raises
    ------
    SavedModelError
        The bytes are not those of a saved model, or not all of them, or not as they were written.
    """
    length, checksum = check_prefix(data, len(data))
    view = memoryview(data)
    if _checksum([view[:HASHED], view[PREFIX.size :]]) != checksum:
        refuse("its checksum is not that of its bytes: it was damaged or changed")
    header = _parse(data[PREFIX.size : PREFIX.size + length])
    if not (isinstance(header, dict) and header.keys() == {"arrays", "content"}):
        refuse("its header has other parts than arrays and content")
    start = PREFIX.size + length + _gap(length)
    return header["content"], _arrays(data, header["arrays"], start)


def check_prefix(data: bytes, size: int) -> tuple[int, bytes]:
    """The header's length and the checksum of a file of `size` bytes, by its first ones."""
    if len(data) < PREFIX.size or data[: len(MAGIC)] != MAGIC:
        refuse("it does not begin as files of m.save do")
    _, version, zero, length, total, checksum = PREFIX.unpack_from(data)
    if version > VERSION:
        raise SavedModelError(
            f"the file has format version {version}, and this version of mixedmodels reads up to "
            f"{VERSION}: update the package"
        )
    if version == 0 or zero != 0:
        refuse("its prefix has values that no version writes")
    if total != size:
        refuse(f"it has {size} bytes where {total} were written: it was cut or added to")
    if length > size - PREFIX.size:
        refuse("its header is longer than the file")
    return int(length), checksum


def _checksum(pieces: Iterable[bytes | memoryview]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def _parse(text: bytes) -> Any:
    try:
        return json.loads(
            text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        refuse(f"its header is not the JSON it should be ({error})")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _arrays(data: bytes, described: Any, start: int) -> list[Values]:
    if not isinstance(described, list):
        refuse("its list of arrays is none")
    arrays = []
    for entry in described:
        dtype, shape = _description(entry)
        size = prod(shape)
        nbytes = size * dtype.itemsize
        if nbytes > len(data) - start:
            refuse(f"an array of shape {tuple(shape)} does not fit into the file")
        array = np.frombuffer(data, dtype, size, start) if size else np.empty(0, dtype)
        arrays.append(array.reshape(shape).astype(dtype.newbyteorder("="), copy=False))
        start += nbytes + _gap(nbytes)
    if start != len(data):
        refuse("its arrays are shorter than the file")
    return arrays


def _description(entry: Any) -> tuple[np.dtype[Any], list[int]]:
    if not (isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], list)):
        refuse("an array is not described by its type and shape")
    kind, shape = entry
    if kind not in TYPES:
        refuse(f"an array has type {kind!r:.40}")
    if len(shape) > 4 or not all(type(n) is int and 0 <= n < LONGEST for n in shape):
        refuse(f"an array has shape {shape!r:.60}")
    return np.dtype(kind), shape


def _little_endian(array: Values) -> Values:
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))


def _gap(length: int) -> int:
    """Bytes up to the next multiple of the alignment."""
    return -length % ALIGNMENT


def refuse(why: str) -> NoReturn:
    """Raise the `SavedModelError` of bytes that no version wrote."""
    raise SavedModelError(f"this is not a saved model that can be read: {why}")
