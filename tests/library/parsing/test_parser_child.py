"""What the process that parses pages says to what it is asked."""

from __future__ import annotations

import io

from selfstudy.library.parsing.parser_child import article, serve

PAGE = (
    "<html><head><title>T</title></head><body><article>"
    "<p>Lima is the capital of Peru, and it is a large city by the sea.</p></article></body></html>"
)


def message(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return len(data).to_bytes(4, "big") + data


def test_each_page_gets_its_text_and_the_end_of_the_input_is_the_end() -> None:
    replies = io.BytesIO()
    serve(
        io.BytesIO(message(f"page\0{PAGE}") + message("page\0") + message("page\0\ud800<p>") + b"\0"), replies
    )
    assert replies.getvalue().startswith(
        message("\0Lima is the capital of Peru, and it is a large city by the sea.")
    )
    assert article("<")[0] == ""
