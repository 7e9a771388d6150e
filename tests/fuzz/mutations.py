"""Bytes that begin as something right and are then spoilt."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

TOKENS = [
    b"\0", b"\xff" * 8, b"\n", b"'", b'"', b"{", b"[" * 300, b"(" * 300, b"-1", b"0", b"1e999", b"nan", b"9" * 5000,
    b"null", b"!!python/object/apply:os.system ['true']", b"&a [*a, *a]", b"<<: *a", b"..", b"/etc/passwd", b"%s",
    b"\xed\xa0\x80", "\u202e".encode(), b"\x7f\xff\xff\xff", b"\x80\x04", b"cos\nsystem\n", b"PK\x03\x04", b",,,,",
    b"=", b": ", b"lambda: 0", b"true", b"{'a': 1}", b"|", b"+", b"~", b"=",
]  # fmt: skip
"""What parsers trip over."""


@st.composite
def spoilt(draw: st.DrawFn, samples: Sequence[bytes]) -> bytes:
    """One of the samples after up to four changes, or, now and then, bytes of no origin."""
    data = draw(st.sampled_from(samples))
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=200))
    for _ in range(draw(st.integers(1, 4))):
        data = draw(changed(data, samples))
    return data


@st.composite
def changed(draw: st.DrawFn, data: bytes, samples: Sequence[bytes]) -> bytes:
    """Cut, flipped, zeroed, doubled, with a token in it, or with a piece of another sample."""
    start, length = draw(st.integers(0, len(data))), draw(st.integers(0, 40))
    before, middle, after = data[:start], data[start : start + length], data[start + length :]
    kind = draw(st.sampled_from(["cut", "token", "token", "over", "flip", "zero", "double", "drop", "splice"]))
    if kind == "cut":
        return before
    if kind in ("token", "over"):
        token = draw(st.sampled_from(TOKENS))
        return before + token + (middle if kind == "token" else b"") + after
    if kind == "flip":
        return before + bytes(each ^ (1 << draw(st.integers(0, 7))) for each in middle[:1]) + middle[1:] + after
    if kind == "splice":
        other = draw(st.sampled_from(samples))
        return before + other[draw(st.integers(0, len(other))) :][:length] + after
    return before + {"zero": bytes(len(middle)), "double": middle * 2, "drop": b""}[kind] + after
