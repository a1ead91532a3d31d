"""What a page is: a name, an address, and how it is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradio import Blocks

    from selfstudy.ui.desk import Desk


@dataclass(frozen=True)
class View:
    """A page.

    Attributes:
        path: its address, without "/"; "" is the first page.
        name: in the navigation, and of the tab.
        build: makes its components and events, within the page that is given (a context is open).  What the
            address asks for (`?run=...`) is read when the page is loaded, out of `gr.Request`.
        alone: whether it needs nothing of the address, and so stands in the navigation.
    """

    path: str
    name: str
    build: Callable[[Desk, Blocks], None]
    alone: bool = True
