"""To which adapter a question goes now, where a router picks one.

What the router has stored of a question tells it at once; else its embedder has to be loaded, which takes
seconds, and is done where a person wants it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from selfstudy.errors import SelfstudyError
from selfstudy.models.taught import ROUTER

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from selfstudy.models.base import Route
    from selfstudy.models.router import Router


_LARGE = 8_000_000
"""Bytes of a router that takes a while to read."""


class RoutedNow(BaseModel):
    """What the router decides.

    Attributes:
        adapter: None: the base model answers.
        score, base: similarity with what the adapter was taught, and with what the base model knows.
        nearest: the stored question that decided, as an id.
        by: stored: by the vectors that it has of this question.  embedder: as for any prompt.
        skipped: why it was not asked, if so.
    """

    model_config = ConfigDict(frozen=True)
    adapter: str | None = None
    score: float = 0.0
    base: float = 0.0
    nearest: str = ""
    by: Literal["stored", "embedder"] = "embedder"
    skipped: str = ""


def routed_now(folder: Path, question_id: str, text: str, *, load: bool = False) -> RoutedNow:
    """What the router in `folder` decides about a question.

    Args:
        text: how it is put.
        load: whether its embedder may be loaded.
    """
    from selfstudy.models.router import Router

    if not load and (folder / ROUTER).stat().st_size > _LARGE:
        return RoutedNow(skipped="not asked, for the router is large: --route loads it")
    try:
        router = Router.load(folder)
        if load:
            return _told(router.route([text])[0], "embedder")
        routes = {_told(one, "stored") for one in _of_stored(router, question_id, text)}
    except SelfstudyError as error:
        return RoutedNow(skipped=f"the router cannot be asked: {error}")
    if len({one.adapter for one in routes}) == 1:
        return max(routes, key=lambda one: one.score)
    path = router.data.embedder.path
    why = "its stored wordings go different ways" if routes else "the router has nothing of it stored"
    return RoutedNow(skipped=f"not asked, for {why}: --route loads its embedder ({path})")


def _told(route: Route, by: Literal["stored", "embedder"]) -> RoutedNow:
    return RoutedNow(adapter=route.adapter, score=route.score, base=route.base, nearest=route.nearest, by=by)


class _Stored:
    """Gives one vector, whatever it is asked: that of a wording which the router's embedder has read."""

    def __init__(self, router: Router, vector: npt.NDArray[np.float32]) -> None:
        self.name = router.data.embedder.path
        self.fingerprint = router.data.fingerprint
        self._vector = vector

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        import numpy as np

        return np.stack([self._vector] * len(texts))


def _of_stored(router: Router, question_id: str, text: str) -> list[Route]:
    """The route of a question by each vector that is stored of it; [] if none is."""
    from selfstudy.models.router import Router

    data = router.data
    if data.method != "nearest":
        return []
    rows = [row for row, at in enumerate(data.rows) if data.questions[at].id == question_id]
    return [
        Router(data, router.vectors, _Stored(router, router.vectors[row])).route([text])[0] for row in rows
    ]
