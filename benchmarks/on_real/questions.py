"""Questions that the real model makes itself: how many are usable, and how many proposals does one take?

A hundred of atlas's pages, one question each (`documents`), and thirty each of `open` and `induced`, which
the library's best page has to answer.  Usable is what a person called so: well formed, answered by its page,
with one clear answer (judged_questions.jsonl: page, question, usable).  What is
not judged is counted as that and printed, never as usable.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from on_real import model
from selfstudy import text
from selfstudy.library.index import Library
from selfstudy.library.open import open_library
from selfstudy.models import load_lm
from selfstudy.models.embedder import LexicalEmbedder
from selfstudy.probe.questions import Asker, Material
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask, ProbeBlock, Recipe
from selfstudy.records import Question
from selfstudy.run import Run
from selfstudy.run.first_records import FirstRecords
from selfstudy.stats import wilson

JUDGED = Path(__file__).parent / "judged_questions.jsonl"
ASKS = (
    Ask(method="documents", count=100, check="page", proposals=4, tries=1, question_temperature=0.7),
    Ask(method="open", count=30, check="page", proposals=4),
    Ask(method="induced", count=30, check="page", proposals=4),
)


def run(seeds: Sequence[int]) -> dict[str, Any]:
    """The table, printed and returned: of each seed, per way of asking."""
    lm = load_lm(model.in_float32())
    documents = open_library("atlas").documents
    title = {document.id: document.title for document in documents}
    judged = _judged()
    found: dict[str, Any] = {}
    for seed in seeds:
        pages = random.Random(seed).sample(documents, 100)
        recipe = Recipe(seed=seed, probe=ProbeBlock(ask=ASKS))
        with tempfile.TemporaryDirectory() as folder:
            library = Library.build(documents, Path(folder) / "index", chunk_tokens=512)

            def find(questions: Sequence[str], library: Library = library) -> list[str]:
                hits = library.find(questions, 1)
                return [text.under_title(one[0].title, one[0].text) if one else "" for one in hits]

            with Run.create_or_resume(Path(folder) / "run", recipe) as run_:
                turn = run_.round(1)
                material = Material(pages, find=find)
                for number, ask in enumerate(ASKS):
                    asker = Asker(number, ask, turn, lm, LexicalEmbedder(), Prompts(), material)
                    asker.run(lambda n: None, FirstRecords(turn, "asking", works=True))
                    asked = [one for one in turn.read(Question) if one.method == ask.method]
                    keys = [(title.get(one.document_id or "", ""), one.text) for one in asked]
                    found[f"{ask.method}, seed {seed}"] = _figures(ask, keys, judged, asker)
    return found


def _judged() -> dict[tuple[str, str], bool]:
    """By page (its title; "" where a question was made without one) and question."""
    if not JUDGED.exists():
        return {}
    rows = map(json.loads, JUDGED.read_text(encoding="utf-8").splitlines())
    return {(row["page"], row["question"]): row["usable"] for row in rows}


def _figures(
    ask: Ask, keys: Sequence[tuple[str, str]], judged: dict[tuple[str, str], bool], asker: Asker
) -> dict[str, Any]:
    known = [judged[key] for key in keys if key in judged]
    line = (
        f"{ask.method}: {len(keys)} questions of {asker.tried} proposals; {len(keys) - len(known)} not judged"
    )
    if known:
        share = wilson(sum(known), len(known))
        line += f"; usable {sum(known)} of {len(known)} judged ({share.low:.2f} to {share.high:.2f})"
    print(line)
    for reason, count in asker.refused.most_common():
        print(f"    refused {count}: {reason}")
    for page, question in keys:
        if (page, question) not in judged:
            print("    not judged:", json.dumps({"page": page, "question": question}, ensure_ascii=False))
    return {
        "asked": len(keys),
        "proposals": asker.tried,
        "judged": len(known),
        "usable": sum(known),
        "refused": dict(asker.refused),
    }
