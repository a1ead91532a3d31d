"""Wikitext as text, through the process that can be killed."""

from __future__ import annotations

import time

import pytest

from selfstudy.library.parsing import parser, wikitext

LINKS = "See the page, or https://b.example."
BOX = "name: Lima\narea km2: 2,672\n\nText."


def plain(page: str) -> str:
    text, trouble = parser.parsed("wikitext", page.encode())
    assert not trouble
    return text


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("'''Lima''' is ''old''.", "Lima is old."),
        ("A [[mill|water mill]] by the [[Rímac]].", "A water mill by the Rímac."),
        ("Known.<ref name=a>Book, p. 3</ref><ref name=a/> So.", "Known. So."),
        ("[[File:X.jpg|thumb|left|A [[mill]]]]Text.[[Category:Mills]]", "Text."),
        ("[[Datei:X.jpg|mini|Eine Mühle]]Text.[[:Category:Mills]]", "Text.Category:Mills"),
        ("See [https://a.example the page],[https://a.example] or https://b.example.", LINKS),
        ("It is {{convert|154|m|ft|0}} high, {{circa|1900}}.", "It is 154 m high, c. 1900."),
        ("A {{lang|fr|moulin}}.", "A moulin."),
        ("Lima ({{IPAc-en|l|i}}; {{lang-es|x}}) is.", "Lima is."),
        ("A<!-- no -->B &amp; &nbsp;C __NOTOC__", "AB & C"),
        ("{|\n| cell\n|}\nText.", "Text."),
        ("== One ==\nA.\n=== Two ===\nB.", "One\n\nA.\n\nTwo\n\nB."),
        ("{{Infobox\n| name = [[Lima]]\n| area_km2 = 2,672{{ref}}\n| image = \n}}\nText.", BOX),
        ("{{Unknown|a=b}}", ""),
        ("<script>alert(1)</script><math>x</math><b>Bold</b><br>new", "Bold\nnew"),
        ("[[unclosed and {{so|on", "[[unclosed and {{so|on"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_a_reader_sees(page: str, text: str) -> None:
    assert plain(page) == text


@pytest.mark.parametrize("part", ["[[", "{{", "{|", "''", "==", "&#", "|", "{{{"])
def test_what_is_never_closed_takes_no_time(part: str) -> None:
    start = time.monotonic()
    plain(part * 50_000)
    assert time.monotonic() - start < 30


def test_a_page_that_is_too_long_is_not_parsed() -> None:
    assert wikitext.plain("x" * 4_000_001) == ("", "more than 4,000,000 characters of wikitext")
