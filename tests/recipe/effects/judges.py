"""Keys of what judges entailment and what embeds: seen in the judgements, and in what is loaded where."""

from __future__ import annotations

import sys
from typing import Any

from selfstudy.judging.by_sentence import for_citations
from selfstudy.loop.resources import Resources
from selfstudy.models import load_embedder, load_nli
from selfstudy.recipe import EmbedderBlock, NLIBlock, PromptedNLI, Recipe, Seq2SeqNLI
from tests.models.remote.faulty_server import Reaction, Request, choice, reply

from . import Effect, rows
from .workshop import HOST, at_work, every_host, on_the_hub, or_said, run_of, sentence_transformers

PAIRS = [
    (f"Paris is the capital of France. {at} rivers flow through it.", "The capital of France is Paris.")
    for at in "abcd"
]


def judging(block: NLIBlock | Seq2SeqNLI) -> object:
    """What a loaded model judges: in which numbers, and in which batches."""

    def seen() -> object:
        nli: Any = load_nli(block)
        batches: list[Any] = []
        nli.model.register_forward_pre_hook(
            lambda _, given, named: batches.append(
                tuple(named.get("input_ids", named.get("attention_mask")).shape)
            ),
            with_kwargs=True,
        )
        found = for_citations(block, nli).probabilities(PAIRS).tolist()
        return found, batches, nli.model.dtype

    with at_work(block.path):
        return or_said(seen)


def branch(block: NLIBlock | Seq2SeqNLI) -> object:
    """What the weights that a Hub id means judge."""
    on_the_hub(block.path.removeprefix("org/"))
    return judging(block)


def asked(block: PromptedNLI) -> object:
    """What the one who is asked holds of a pair: the server's models say their names."""

    def react(request: Request) -> Reaction:
        if not request.path.endswith("/chat/completions"):  # it gives no log-probabilities of texts
            return Reaction(404, {"error": {"message": "no such path"}})
        return Reaction(body=reply(choice(request.body["model"])))

    with at_work() as patch, every_host(patch, react=react):
        model, judge = (
            {"type": "remote", "model": says, "base_url": f"http://{HOST}/v1"} for says in ("true", "false")
        )
        recipe = Recipe.model_validate({"model": model, "judge": judge, "nli": block, "library": "atlas"})
        with run_of(recipe) as run:
            return Resources(run).nli.classes(PAIRS[:1])


def embedding(block: EmbedderBlock) -> object:
    """What is loaded, and where it computes."""

    def seen() -> object:
        embedder: Any = load_embedder(block)
        loaded = getattr(embedder, "_model", None)
        return type(embedder), loaded and (loaded.where, loaded.device)

    with at_work(block.path) as patch:
        patch.setitem(sys.modules, "sentence_transformers", sentence_transformers())
        return or_said(seen)


BERT: dict[str, Any] = {"path": "bert", "device": "cpu"}
T5: dict[str, Any] = {"type": "seq2seq", "path": "t5", "device": "cpu"}
EFFECTS: dict[str, Effect] = {
    **rows("NLIBlock", judging, BERT, path="bert-2", dtype="bfloat16", device="cuda:99", token_budget=40),
    **rows("NLIBlock", judging, BERT, premise="sentences"),
    **rows("NLIBlock", branch, BERT | {"path": "org/bert"}, revision="v2"),
    **rows("Seq2SeqNLI", judging, T5, path="t5-2", dtype="bfloat16", device="cuda:99", token_budget=60),
    **rows("Seq2SeqNLI", judging, T5, form="attrscore"),
    **rows("Seq2SeqNLI", branch, T5 | {"path": "org/t5"}, revision="v2"),
    **rows("PromptedNLI", asked, {"type": "lm"}, ask="model"),
    **rows("EmbedderBlock", embedding, {}, path="encoder"),
    **rows("EmbedderBlock", embedding, {"path": "encoder", "device": "cpu"}, device="meta"),
}
"""By `Block.key`."""
