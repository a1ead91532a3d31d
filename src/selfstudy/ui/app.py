"""The pages in one list, and the application that serves them: gradio's, and the routes beside it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from selfstudy.ui import downloads, rating_downloads
from selfstudy.ui.markup import template_file
from selfstudy.ui.uploads import LARGEST
from selfstudy.ui.view import View

if TYPE_CHECKING:
    from fastapi import FastAPI
    from gradio import Blocks

    from selfstudy.ui.desk import Desk


def pages() -> tuple[View, ...]:
    """All of them, in the order of the navigation."""
    from selfstudy.ui.views import (
        chat,
        cited,
        compare,
        new,
        publish,
        question,
        questions,
        rate,
        results,
        run,
        runs,
    )

    views = (runs, new, run, results, questions, question, compare, chat, cited, publish, rate)
    return tuple(one.VIEW for one in views)


def quiet() -> None:
    """Before gradio is imported: it asks nobody anything, and keeps nothing elsewhere."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def blocks_of(desk: Desk) -> Blocks:
    """Gradio's description of all pages."""
    import gradio as gr

    first, *others = pages()
    with gr.Blocks(title="selfstudy", analytics_enabled=False) as made:
        gr.Navbar(visible=True, main_page_name=first.name)
        first.build(desk, made)
    for page in others:
        with made.route(page.name, f"/{page.path}", show_in_navbar=page.alone):
            gr.Navbar(visible=True, main_page_name=first.name)
            page.build(desk, made)
    return made


def application(desk: Desk, uploads: str) -> FastAPI:
    """All routes, without a guard.

    Args:
        uploads: folder for what is given by a browser, until it is used.
    """
    quiet()
    os.environ["GRADIO_TEMP_DIR"] = uploads
    import gradio as gr
    from fastapi import FastAPI

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    rating_downloads.add_routes(app, desk)
    downloads.add_routes(app, desk)
    # the machine's own fonts: of gradio's bold one most letters are missing (6.31)
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    served: FastAPI = gr.mount_gradio_app(
        app,
        blocks_of(desk),
        path="/",
        server_name="127.0.0.1",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        show_error=True,
        max_file_size=LARGEST,
        theme=theme,
        css=template_file("style.css"),
        js=template_file("page.js"),
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )
    return served
