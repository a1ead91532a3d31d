"""Title and visible text of any page, in one pass."""

from __future__ import annotations

import time

import pytest

from selfstudy.library.parsing.visible import read


@pytest.mark.parametrize(
    ("page", "title", "text"),
    [
        ("<title>Peru &amp; Lima</title><p>One</p><p>two <b>bo</b>ld</p>", "Peru & Lima", "One\ntwo bold"),
        ("<head><title>T</title><style>p>a{}</style><body>text", "T", "text"),
        ("a<script>if (a<b) '</p>'; </scrip></SCRIPT >b", "", "ab"),
        ("a<!-- <p> > -->b<!-->c<!DOCTYPE x>d<?php e ?>f</>g", "", "abcdfg"),
        ("<p title='a > b' class=\"<b>\">x</p>", "", "x"),
        ('<a href="x>y</a> <a href="z">w', "", 'w'),
        ("<a href=\"x>y</a> z", "", "y z"),
        ("1 < 2 & 3 <4 <", "", "1 < 2 & 3 <4 <"),
        ("<svg><title>no</title></svg><p>yes", "no", "yes"),
        ("<svg><iframe><svg></svg>seen", "", "seen"),
        ("<noscript>a</noscript>b</noscript>c", "", "b\nc"),
        ("&#xd800;&#99999999999;&#x110000;&nbsp;&unknown;", "", "\ufffd\ufffd\ufffd &unknown;"),
        ("one<!-- never closed <p>two", "", "one"),
        ("one<script>never closed <p>two", "", "one"),
        ("one<p never closed", "", "one"),
    ],
)  # fmt: skip
def test_pages(page: str, title: str, text: str) -> None:
    assert read(page) == (title, text)


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "<a ",
            "<a>",
            '<a ="',
            "<a ='\"",
            "</",
            "<!",
            "<!--",
            "<script>",
            "<svg>",
            "<svg></p>",
            "<title>",
            "<",
        ),
        *("&#9", "&", "<a a=1 ", "<p", "=", "<script></scrip", "\n", "<b>x"),
    ],
)
def test_no_page_takes_long(unit: str) -> None:
    start = time.process_time()
    read(unit * (1_000_000 // len(unit)))
    assert time.process_time() - start < 3


def test_a_number_of_thousands_of_digits_is_no_character() -> None:
    assert read("a&#" + "9" * 10_000 + ";b") == ("", "a\ufffdb")
