"""A page of the state container's listing, read or refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.azure.state_listing import Entry, read_page

# What XML can carry at all.
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"))
WRITTEN = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)


def page(name: str, label: str, etag: str = "0x8D", marker: str = "", encoded: str = "") -> bytes:
    """A List Blobs answer with one blob."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="https://a/" ContainerName="c">'
        f"<Prefix>runs/</Prefix><Blobs><Blob><Name{encoded}>{escape(name)}</Name><Properties>"
        f"<Last-Modified>Sun, 01 Mar 2026 12:30:05 GMT</Last-Modified><Etag>{escape(etag)}</Etag></Properties>"
        f"<Metadata><label>{escape(label)}</label></Metadata></Blob></Blobs>"
        f"<NextMarker>{escape(marker)}</NextMarker></EnumerationResults>"
    ).encode()


@given(TEXTS.filter(bool), TEXTS, TEXTS)
def test_a_page_is_read_as_it_was_written(name: str, label: str, marker: str) -> None:
    assert read_page(page(name, label, marker=marker)) == ([Entry(name, label, WRITTEN, '"0x8D"')], marker)


def test_a_name_that_xml_cannot_carry_comes_encoded() -> None:
    [entry], _ = read_page(page("runs/a%EF%BF%BFb", "", encoded=' Encoded="true"'))
    assert entry.key == "runs/a\uffffb"


@given(st.binary() | TEXTS.map(lambda text: f"<EnumerationResults>{escape(text)}</EnumerationResults>".encode()))
def test_what_is_no_listing_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="listing"):
        read_page(body)


@given(st.data())
def test_a_listing_that_breaks_off_is_refused(data: st.DataObject) -> None:
    whole = page("runs/1.json", "done|x")
    with pytest.raises(ValueError, match="listing"):
        read_page(whole[: data.draw(st.integers(0, len(whole) - 1))])


@pytest.mark.parametrize("broken", [page("", "x"), page("a", "x", etag="")])
def test_a_blob_without_a_name_or_an_etag_is_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="without a name or an ETag"):
        read_page(broken)


@given(st.binary(min_size=1, max_size=60), st.integers(0, 400))
@example(b"atf-8", 30)
def test_a_damaged_page_is_read_or_refused(noise: bytes, place: int) -> None:
    whole = page("runs/1.json", "done|x")
    with suppress(ValueError):
        read_page(whole[:place] + noise + whole[place + len(noise) :])
