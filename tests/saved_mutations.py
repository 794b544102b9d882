"""Saved models changed at random with a checksum that fits: what a forger, not an accident, makes.

Bytes anywhere, the text of the header, its structure (keys, types, values, shapes, references) and
the numbers in the arrays.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
import struct
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np

from mixedmodels.saving import container

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, 10**30, -(2**63), 0.0, 1.5, -1e308, "nan",
    "inf", "", "a", "y ~ x", "y ~ x + (1 | g) + (1 | h)", "poly(x, 2)", "\ud800", "é", [], {}, [[]],
    {"a": 1}, [0], [1, 2, 3], "<f8", "<i4", "|u1", "times", "mixed", "intervals", "Europe/Berlin",
    "+99:99", "../x", "matrix", "poly", "LinearModel",
)  # fmt: skip
NUMBERS = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e308, 1e-308, 1e76, 0.37)
JSON = b'0123456789.-eE"{}[],:truefalsn'


def split(data: bytes) -> tuple[Any, bytes]:
    """The header, and the bytes of the arrays."""
    length = struct.unpack_from("<Q", data, 16)[0]
    start = 64 + length + -length % 64
    return json.loads(data[64 : 64 + length]), data[start:]


def join(header: Any, arrays: bytes, version: int = 1, zero: int = 0) -> bytes:
    """A file of this header (JSON, or its bytes) and these arrays."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = text + bytes(-len(text) % 64) + arrays
    start = struct.pack("<8sIIQQ", container.MAGIC, version, zero, len(text), 64 + len(body))
    return signed(start + bytes(32) + body)


def signed(data: bytes) -> bytes:
    """The same bytes with the checksum that fits."""
    digest = hashlib.sha256(data[:32] + data[64:]).digest()
    return data[:32] + digest + data[64:]


def mutants(saved: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    kinds = (_bytes, _length, _text, _arrays, _arrays, _both, _json, _json, _json, _json)
    for _ in range(count):
        yield rng.choice(kinds)(rng.choice(saved), rng)


def _bytes(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8])):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return signed(bytes(changed))


def _length(data: bytes, rng: random.Random) -> bytes:
    cut = rng.random() < 0.5
    changed = bytearray(data[: rng.randrange(65, len(data))] if cut else data + bytes(100))
    struct.pack_into("<Q", changed, 24, len(changed))
    return signed(bytes(changed))


def _text(data: bytes, rng: random.Random) -> bytes:
    header, arrays = split(data)
    text = bytearray(json.dumps(header).encode())
    for _ in range(rng.choice([1, 2, 4])):
        text[rng.randrange(len(text))] = rng.choice(JSON)
    return join(bytes(text), arrays)


def _json(data: bytes, rng: random.Random) -> bytes:
    header, arrays = split(data)
    return join(_other_header(header, rng), arrays)


def _arrays(data: bytes, rng: random.Random) -> bytes:
    header, arrays = split(data)
    return join(header, _other_arrays(header, arrays, rng))


def _both(data: bytes, rng: random.Random) -> bytes:
    header, arrays = split(data)
    return join(_other_header(header, rng), _other_arrays(header, arrays, rng))


def _other_arrays(header: Any, arrays: bytes, rng: random.Random) -> bytes:
    places, start = [], 0
    for kind, shape in header["arrays"]:
        size = int(kind[2:])
        places.append((kind, start, prod(shape), size))
        start += size * prod(shape) + -size * prod(shape) % 64
    changed = bytearray(arrays)
    for kind, start, count, size in rng.choices([p for p in places if p[2]], k=3):
        at = start + size * rng.randrange(count)
        value = np.array([rng.choice(NUMBERS)], kind).tobytes() if kind[1] == "f" else b""
        changed[at : at + size] = value or rng.choice([b"\xff", b"\0", b"\x01"]) * size
    return bytes(changed)


def _other_header(header: Any, rng: random.Random) -> Any:
    changed = copy.deepcopy(header)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        places = [path for path in _paths(changed) if path]
        *above, key = rng.choice(places)
        parent = _at(changed, above)
        parent[key] = _other(parent[key], changed, places, rng)
        if rng.random() < 0.15:
            del parent[key]
    return changed


def _other(value: Any, header: Any, places: Sequence[Any], rng: random.Random) -> Any:
    choice = rng.randrange(4)
    if choice == 0:
        return copy.deepcopy(_at(header, rng.choice(places)))
    if choice == 1 and isinstance(value, str) and value:
        at = rng.randrange(len(value))
        return value[:at] + rng.choice(["", "|", "(", "x", "~", "`", "\0", "9", "*"]) + value[at:]
    if choice == 1 and type(value) is int:
        return value + rng.choice([-1, 1, 2, 1000, 10**9])
    if choice == 2 and isinstance(value, list):
        return rng.sample(value, len(value)) + value[:1]
    if choice == 2 and isinstance(value, float):
        return value * rng.choice([0.0, -1.0, 1e300, 1e-300])
    return copy.deepcopy(rng.choice(ODD))


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _paths(item, (*path, key))


def _at(value: Any, path: Sequence[Any]) -> Any:
    for key in path:
        value = value[key]
    return value
