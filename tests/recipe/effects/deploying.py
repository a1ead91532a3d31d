"""Keys of `deploy`: seen in which adapter a router picks, by what, and in which sources share one."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from selfstudy.models import Models
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.recipe import DeployBlock, EmbedderBlock, Recipe, RouterBlock
from selfstudy.run.source_groups import SourceGroups
from selfstudy.teach.router import build
from selfstudy.teach.routing import embedder_of
from tests.teach.test_router import EAST, KNOWN, NOVEL, UNRELATED, WEST, known, taught

from . import Effect, rows
from .workshop import at_work, sentence_transformers

SOURCES = ("eu/fr.txt", "eu/de.txt", "am/pe.txt", "https://example.org/page")


@cache
def embedder() -> LexicalEmbedder:
    return LexicalEmbedder()


def routed(block: RouterBlock) -> object:
    """Where questions go by a router that was made of a few, and by which bounds."""
    groups = {"west": taught(WEST[:3]), "east": taught(EAST[:3])}
    router = build(groups, known(KNOWN[:8]), UNRELATED, block, embedder(), EmbedderBlock(), seed=0)
    questions = [frame.format(a="capital", x=x) for x in (*WEST, *EAST, *KNOWN) for frame in NOVEL]
    data = router.data
    return router.route(questions), data.thresholds, data.margin, data.cover, data.names


def embedded(router: Any) -> object:
    """What says how similar questions are to those that were taught."""
    recipe = Recipe.model_validate({"library": "atlas", "deploy": {"type": "dynamic", "router": router}})
    with at_work("encoder") as patch:
        patch.setitem(sys.modules, "sentence_transformers", sentence_transformers())
        lm: Any = None  # nobody is asked
        return type(embedder_of(recipe, Models(lm, lm, embedder())))


def grouped(block: DeployBlock) -> object:
    groups = SourceGroups(block)
    return [groups.of(source) for source in SOURCES]


ENCODER = {"path": "encoder", "device": "cpu"}
EFFECTS: dict[str, Effect] = {
    **rows("RouterBlock", routed, {}, method="centroid", neighbours=3, calibration=0.1),
    **rows("RouterBlock", routed, {"method": "centroid"}, false_activation=0.5),
    **rows("RouterBlock", embedded, {}, embedder=ENCODER),
    **rows("DeployBlock", grouped, {"type": "dynamic"}, groups={"europe": ["eu"]}),
    **rows("DeployBlock", lambda block: embedded(block.router), {}, router={"embedder": ENCODER}),
}
"""By `Block.key`."""
