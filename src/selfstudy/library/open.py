"""The documents that a recipe's `library` names: a folder or file, or the embedded world.

Knows nothing of runs or of what documents are used for.
"""

from __future__ import annotations

from pathlib import Path

from selfstudy.library import parser
from selfstudy.library.folder import Contents, read_documents


def open_library(spec: str | None, *, follow_links: bool = False) -> Contents:
    """The documents, what was not used and why; none without a library.

    Args:
        spec: a folder or file, `atlas` for the pages of the embedded world, or None.
        follow_links: whether links that leave the folder are followed.

    Raises:
        DataError: nothing is there, or nothing there can be used.
    """
    if spec is None:
        return Contents()
    if spec == "atlas":
        from selfstudy.atlas import world

        return Contents(world.documents())
    try:
        return read_documents(Path(spec), follow_links=follow_links)
    finally:
        parser.stop()
