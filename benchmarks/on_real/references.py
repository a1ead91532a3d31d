"""References: of the pages that answer a question, how many give an accepted reference, and is it right?

The library is atlas's; the questions are countries.jsonl.  A page answers a question if it is found for it
and holds an answer of the key.  Everything goes through `gather` as a run has it; the filter of the first
version (samples at temperature 1, no look at the page's words) stands beside the default.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from on_real import model
from selfstudy import text
from selfstudy.gather.evidence import find_evidence
from selfstudy.gather.references import read_references
from selfstudy.judging.correctness import states
from selfstudy.library.index import Library
from selfstudy.library.open import open_library
from selfstudy.models import load_lm, load_nli
from selfstudy.models.answering import from_document
from selfstudy.prompts import Prompts
from selfstudy.recipe import AnsweringBlock, GatherBlock, NLIBlock
from selfstudy.records import Question, Reference
from selfstudy.stats import wilson

FILTERS = {
    "as in 0.1": GatherBlock(accept="consistency", temperature=None),
    "default": GatherBlock(),
}


def run(seeds: Sequence[int]) -> dict[str, Any]:
    """The table, printed and returned; the first seed alone: more move samples, not the answers."""
    rows = [json.loads(line) for line in model.COUNTRIES.read_text(encoding="utf-8").splitlines()]
    lm = load_lm(model.in_float32())
    nli = load_nli(NLIBlock())  # for the first version's filter; votes need none
    questions = [Question(text=row["question"]) for row in rows]
    answers = [str(row["answer"]) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        library = Library.build(open_library("atlas").documents, Path(folder) / "index", chunk_tokens=512)
        evidence = find_evidence(questions, library, GatherBlock().hits)
    answerable = [
        any(text.contains(hit.text, answer) for hit in hits)
        for hits, answer in zip(evidence, answers, strict=True)
    ]
    print(f"{len(rows)} questions, {sum(answerable)} of them answered by a page that is found")
    found = {}
    for name, block in FILTERS.items():
        sampling = from_document(AnsweringBlock(reading_tokens=48), block.samples, seeds[0])
        sampling = replace(sampling, temperature=block.temperature or sampling.temperature)
        references = read_references(
            questions, evidence, partial(lm.generate, sampling=sampling), nli, Prompts(), block
        )
        found[name] = _figures(name, questions, answers, answerable, references)
    return found


def _figures(
    name: str,
    questions: Sequence[Question],
    answers: Sequence[str],
    answerable: Sequence[bool],
    references: Sequence[Reference | None],
) -> dict[str, Any]:
    right = [
        reference is not None and states(reference.text, [answer], question.text)
        for question, answer, reference in zip(questions, answers, references, strict=True)
    ]
    accepted = [reference is not None and reference.accepted for reference in references]
    counts = {
        "answerable": sum(answerable),
        "read right": sum(a and r for a, r in zip(answerable, right, strict=True)),
        "accepted of answerable": sum(a and b for a, b in zip(answerable, accepted, strict=True)),
        "accepted": sum(accepted),
        "right of accepted": sum(a and b for a, b in zip(accepted, right, strict=True)),
    }
    print(
        f"{name}: read right {_share(counts['read right'], counts['answerable'])}; "
        f"accepted {_share(counts['accepted of answerable'], counts['answerable'])}; "
        f"right of the accepted {_share(counts['right of accepted'], counts['accepted'])}"
    )
    why = Counter(r.explanation.split(":")[0] for r in references if r is not None and not r.accepted)
    for reason, count in why.most_common(6):
        print(f"    not accepted {count}: {reason}")
    return counts


def _share(part: int, whole: int) -> str:
    if not whole:
        return "none"
    found = wilson(part, whole)
    return f"{part} of {whole} ({part / whole:.2f}, {found.low:.2f} to {found.high:.2f})"
