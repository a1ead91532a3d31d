"""What answers questions, judges entailment and embeds texts; loaded from recipe blocks.

The backends are imported only when one is loaded, so that importing this package costs nothing.

    base.py         the contract
    local/          transformers, in this process
    remote/         behind an OpenAI-compatible URL
    server/         behind an engine that is started for you
    routed.py       an adapter for every prompt, or none
    router.py       which one (router_file.py, question_words.py, nearest_questions.py)
    scripted.py     the public fake
    nli.py          entailment (deberta.py: a faster DeBERTa-v2; windows.py: texts that are too long)
    pairs.py        pairs of texts through either kind of entailment model (batching.py: what goes together)
    embedder.py     vectors of texts
    workers.py      copies in other processes, and calls shared out among them: the contract
    worker.py       one of these processes: what it holds and answers
    spread/         what a run holds of a model that is in workers
    sharing.py      which part of a shared call is next, after what failed
    scale.py        workers by Ray (cluster_address.py, cluster_connection.py, cluster_nodes.py)
    counting.py     tokens of what a model is asked
    thinking.py     what of an answer is thinking aloud
    taught.py       what a training leaves: an adapter, a whole model, or adapters with their router
    lora.py         folders of adapters
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.errors import ModelError
from selfstudy.models import taught
from selfstudy.models.base import Embedder, EntailmentModel, LanguageModel
from selfstudy.recipe import (
    EmbedderBlock,
    EntailmentBlock,
    LocalModel,
    ModelBlock,
    NLIBlock,
    RemoteModel,
    ScriptedModel,
    Seq2SeqNLI,
    ServerModel,
)

if TYPE_CHECKING:
    from selfstudy.files.cache import Cache
    from selfstudy.models.server.servers import Servers


@dataclass(frozen=True)
class Models:
    """The models that a run works with; without a judge of its own the language model judges itself."""

    lm: LanguageModel
    nli: EntailmentModel
    embedder: Embedder
    own_judge: LanguageModel | None = None

    @property
    def judge(self) -> LanguageModel:
        """What grades answers."""
        return self.lm if self.own_judge is None else self.own_judge


def load_lm(
    block: ModelBlock,
    *,
    cache: bool = True,
    servers: Servers | None = None,
    say: Callable[[str], object] | None = None,
) -> LanguageModel:
    """The language model of a recipe; with an adapter that is a folder of several, what their router picks.

    Args:
        cache: a remote one is not asked for what this user has already.
        servers: starts and ends the engine that a model needs, if it needs one; without it the model does so
            for itself alone, until it is forgotten or Python ends.
        say: told if the adapter of a local one changes nothing, and which key goes where; None: as `servers`
            are.

    Raises:
        ModelError: it cannot be loaded, or the user has not allowed what it needs (remote/permissions.py);
            the message says why and what to do.
    """
    if say is None:
        say = servers.say if servers is not None else lambda text: None
    if isinstance(block, ScriptedModel):
        from selfstudy.models.scripted import ScriptedLM

        return ScriptedLM.from_yaml(block.path)
    if isinstance(block, RemoteModel):
        from selfstudy.models.remote.lm import RemoteLM
        from selfstudy.models.remote.response_cache import ResponseCache

        lm = RemoteLM(block, ResponseCache.of_user() if cache else None)
        if lm.key_use:
            say(f"{lm.name}: {lm.key_use}")
        return lm
    if block.adapter is not None and taught.is_routed(block.adapter):
        return _routed(block, block.adapter, servers, say)
    if isinstance(block, ServerModel):
        from selfstudy.models.server.lm import ServerLM

        return ServerLM(block, servers)
    from selfstudy.models.local.lm import LocalLM

    return LocalLM(block, say)


def _routed(
    block: LocalModel | ServerModel, folder: Path, servers: Servers | None, say: Callable[[str], object]
) -> LanguageModel:
    from selfstudy.models.routed import RoutedLM
    from selfstudy.models.router import Router

    router, folders = Router.load(folder), taught.adapters_of(folder)
    if isinstance(block, ServerModel):
        from selfstudy.models.server.mixed import MixedServerLM

        return RoutedLM(MixedServerLM(block, folders, servers), router)
    from selfstudy.models.local.mixed import MixedLM

    return RoutedLM(MixedLM(block, folders, say), router)


def load_nli(block: EntailmentBlock, cache: Cache | None = None) -> EntailmentModel:
    """A classifier, or a model that writes its verdict; with a cache it judges no pair that is in it.

    Raises:
        ModelError: it cannot be loaded, its labels do not say which is entailment and contradiction, or it is
            none: of type `lm` or `none`.
    """
    if isinstance(block, Seq2SeqNLI):
        from selfstudy.models.seq2seq_entailment import Seq2SeqEntailment

        return Seq2SeqEntailment(block, cache)
    if not isinstance(block, NLIBlock):
        raise ModelError(
            f"nli: {block.type} is no entailment model to load",
            "name one with nli.path, or take selfstudy.judging.entailment.entailment_model",
        )
    from selfstudy.models.nli import EntailmentClassifier

    return EntailmentClassifier(block, cache)


def load_embedder(block: EmbedderBlock) -> Embedder:
    """The embedder of a recipe.

    Raises:
        ModelError: it cannot be loaded.
        MissingExtraError: it needs an optional package that is absent.
    """
    from selfstudy.models import embedder

    return embedder.load(block)
