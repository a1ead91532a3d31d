"""Other people's text is shown, and is never markup: not HTML's, not gradio's."""

from __future__ import annotations

import pytest

from selfstudy.ui.markup import LONGEST, address, render, shown


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "\"'><img src=x onerror=x>", "${alert(1)}", "{{x}}"]
)
def test_no_character_of_markup_or_of_templates_is_left(text: str) -> None:
    assert not set("<>\"'{}$") & set(str(shown(text)))


def test_of_a_text_without_end_its_beginning_is_shown_and_how_much_more_it_is() -> None:
    said = str(shown("x" * (LONGEST + 1_000)))
    assert said == "x" * LONGEST + "… (1,000 more characters)"


def test_text_in_a_template_is_escaped_and_addresses_are_encoded() -> None:
    html = render("runs", rows=[], left_out=0, folder="<b>${x}</b>")
    assert "&lt;b&gt;&#36;&#123;x&#125;&lt;/b&gt;" in html
    assert address("run", run="a b&token=c", none="") == "/run?run=a+b%26token%3Dc"
