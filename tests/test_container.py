"""The bytes of saved models: layout, and every way in which they can be wrong."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable

import numpy as np
import pytest

import mixedmodels as mm
from mixedmodels.saving.container import pack, unpack
from saved_mutations import join, signed, split

ARRAYS = [
    np.linspace(0, 1, 7),
    np.arange(6, dtype=">i4").reshape(2, 3),
    np.zeros((0, 4)),
    np.array([[1, 2], [3, 4]], dtype=np.uint8).T,
    np.arange(10, dtype=np.float32)[::3],
]
CONTENT = {"a": [1, 2.5, "é", None, True], "b": {}}


def packed() -> bytes:
    return b"".join(pack(CONTENT, ARRAYS))


def test_content_and_arrays_come_back() -> None:
    content, arrays = unpack(packed())
    assert content == CONTENT
    for array, original in zip(arrays, ARRAYS, strict=True):
        np.testing.assert_array_equal(array, original)
        assert array.dtype == original.dtype.newbyteorder("=")
        assert array.shape == original.shape


def test_layout() -> None:
    """Everything begins at a multiple of 64 bytes; numbers are little-endian."""
    data = packed()
    header, arrays = split(data)
    assert data[:8] == b"\x89MIXED\r\n"
    assert struct.unpack_from("<IIQQ", data, 8)[:2] == (1, 0)
    assert len(data) % 64 == len(arrays) % 64 == 0
    assert header["arrays"][:3] == [["<f8", [7]], ["<i4", [2, 3]], ["<f8", [0, 4]]]
    assert arrays[:56] == ARRAYS[0].astype("<f8").tobytes()
    assert arrays[64:88] == ARRAYS[1].astype("<i4").tobytes()


def test_loaded_arrays_are_views_and_read_only() -> None:
    _, arrays = unpack(packed())
    assert not arrays[0].flags.writeable
    assert arrays[0].base is not None


def changed(at: int, layout: str, value: int) -> bytes:
    data = bytearray(packed())
    struct.pack_into(layout, data, at, value)
    return signed(bytes(data))


def header(text: str | bytes) -> bytes:
    return join(text if isinstance(text, bytes) else text.encode(), b"")


def described(*entries: object) -> bytes:
    return join({"arrays": list(entries), "content": 0}, bytes(64))


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "does not begin"),
    "a pickle": (lambda: b"\x80\x04K\x01." * 20, "does not begin"),
    "as text": (lambda: packed().replace(b"\r\n", b"\n"), "does not begin"),
    "newer": (lambda: changed(8, "<I", 2), "version 2, and this version .* up to 1: update"),
    "version 0": (lambda: changed(8, "<I", 0), "no version writes"),
    "reserved": (lambda: changed(12, "<I", 1), "no version writes"),
    "long header": (lambda: changed(16, "<Q", 2**63), "header is longer"),
    "length": (lambda: changed(24, "<Q", 2**40), r"\d+ bytes where 1099511627776"),
    "cut": (lambda: packed()[:-1], "cut or added to"),
    "added to": (lambda: packed() + b"\0", "cut or added to"),
    "prefix only": (lambda: packed()[:64], "cut or added to"),
    "checksum": (lambda: packed()[:-1] + b"\x01", "damaged or changed"),
    "not JSON": (lambda: header("{"), "not the JSON"),
    "not UTF-8": (lambda: header(b'"\xff"'), "not the JSON"),
    "NaN": (lambda: header('{"arrays": [], "content": NaN}'), "NaN is no number"),
    "twice": (lambda: header('{"arrays": [], "content": {"a": 1, "a": 2}}'), "stands twice"),
    "deep": (lambda: header("[" * 200_000), "not the JSON"),
    "deep and closed": (lambda: header("[" * 9_999 + "]" * 9_999), "not the JSON|other parts"),
    "digits": (lambda: header("9" * 10_000), "not the JSON"),
    "no arrays": (lambda: header('{"content": 1}'), "other parts"),
    "a list": (lambda: header("[]"), "other parts"),
    "arrays are none": (lambda: header('{"arrays": 3, "content": 1}'), "list of arrays is none"),
    "no shape": (lambda: described(["<f8"]), "type and shape"),
    "type": (lambda: described(["|O", [1]]), "has type"),
    "type is a list": (lambda: described([[], [1]]), "has type"),
    "big-endian": (lambda: described([">f8", [1]]), "has type"),
    "huge": (lambda: described(["<f8", [2**40]]), "does not fit"),
    "huge product": (lambda: described(["<f8", [2**47, 2**47, 2**47]]), "does not fit"),
    "empty but huge": (lambda: described(["<f8", [0, 2**60]]), "has shape"),
    "negative": (lambda: described(["<f8", [-1]]), "has shape"),
    "fraction": (lambda: described(["<f8", [1.0]]), "has shape"),
    "truth": (lambda: described(["<f8", [True]]), "has shape"),
    "many sides": (lambda: described(["<f8", [1] * 5]), "has shape"),
    "short": (lambda: described(), "shorter than the file"),
    "long": (lambda: described(["<f8", [8]], ["<f8", [1]]), "does not fit"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken(name: str) -> None:
    make, message = BROKEN[name]
    with pytest.raises(mm.SavedModelError, match=message):
        unpack(make())


def test_an_unreadable_file_is_a_value_error_of_the_package() -> None:
    assert issubclass(mm.SavedModelError, mm.MixedModelsError)
    assert issubclass(mm.SavedModelError, ValueError)


def test_join_is_what_pack_writes() -> None:
    data = packed()
    content, arrays = split(data)
    text = json.dumps(content, separators=(",", ":")).encode()
    assert join(text, arrays) == data
