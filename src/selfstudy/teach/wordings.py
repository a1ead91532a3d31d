"""Several wordings of each gap question: some to train on, some held out for verify.

One wording teaches one string: in other words the model often still does not know (Allen-Zhu & Li 2023,
"Physics of Language Models: Part 3.1", arXiv 2309.14316, measure it).  The model writes the wordings itself.

A rewording may ask something else, and then training on it would teach a wrong fact.  So each one makes a
round trip: the model reads the answer to the rewording out of the evidence of the original question, and the
rewording counts only if that is the reference again.  Reading is far easier than knowing, so the check works
for any model that can read, about facts that it does not know.  One thing it cannot see: with the document
in view "What is its capital?" finds the same answer.  Hence the second rule: the names and numbers of the
original must be there.

This file knows nothing of training.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from selfstudy import text
from selfstudy.judging.agreement import particulars, same_words
from selfstudy.judging.assertion import denials
from selfstudy.judging.grounding import adds, claims
from selfstudy.judging.terms import is_exact, terms, words
from selfstudy.models.answering import from_document
from selfstudy.models.base import LanguageModel, Sampling
from selfstudy.models.unwrapping import entries
from selfstudy.progress import Reporter
from selfstudy.prompts import Prompts
from selfstudy.recipe import Recipe, TeachBlock
from selfstudy.records import Completion, Due, Question, Rewording
from selfstudy.run import Round, resume
from selfstudy.run.split import kept_apart, used_texts
from selfstudy.teach.gaps import JudgedQuestion

STAGE = "wordings"
AGREEMENT = 0.8
"""Token F1 from which two answers with the same names and numbers count as the same."""
MAX_NEW_TOKENS = 64
MORE = 2
"""Times as many wordings are written anew, of a fact that was taught and has changed, as of a new one.  Of
156 novel wordings of six changed capitals .87 went to the new adapter with those that they had, .94 with two
more, .96 with four more; and of those of other facts of these pages, which are the old one's, .21, .23 and
.24 (atlas, the lexical embedder)."""


@dataclass
class _Search:
    """The rewordings of one question: candidates still to try, and those that passed."""

    item: JudgedQuestion
    candidates: list[str]
    accepted: list[str] = field(default_factory=list)


def write(
    round_: Round, items: Sequence[JudgedQuestion], lm: LanguageModel, prompts: Prompts, report: Reporter
) -> dict[str, list[Rewording]]:
    """Writes `Rewording` records for `items` and returns them by question id; resumes where it stopped.

    No two questions get the same rewording, and none gets one that is itself a question of this round, so
    what is held out of one question is not trained by another.  Nor is anything held out that an earlier
    round may have trained.  A question that is asked again keeps the rewordings that it had; if its page has
    changed, it gets more (`MORE`): the old answer is to go in whatever words it is asked for.
    """
    teach = round_.run.recipe.teach
    wanted = teach.wordings + teach.heldout_wordings
    found: dict[str, list[Rewording]] = {item.question.id: [] for item in items}
    for record in round_.iter(Rewording):
        if record.question_id in found:
            found[record.question_id].append(record)
    if not wanted or round_.finished(STAGE):
        return found
    kept = kept_apart(round_.run)
    taken = {text.normalise(question.text) for question in round_.iter(Question)}
    taken |= {text.normalise(q.text) for q in round_.run.round(1).iter(Question) if q.id in kept}
    trained = used_texts(one for one in round_.run.rounds if one.number < round_.number)
    again = _had_before(round_, items, taken, trained)
    for name, some in again.items():
        found[name] = list({record.id: record for record in (*some, *found[name])}.values())
    round_.append(record for some in again.values() for record in some)
    taken.update(text.normalise(record.text) for some in again.values() for record in some)
    new = [item for item in items if item.question.id not in again]
    changed = {one.question_id for one in round_.iter(Due) if one.why == "changed"}
    learned = [i for i in items if i.question.id in changed & again.keys() and again[i.question.id]]
    writing = _Writing(round_, found, taken, trained, lm, prompts)
    with report.task("teach: other wordings", len(new) + len(learned)) as advance:
        writing.write(new, round_.run.recipe, advance)
        writing.write(learned, _with_more(round_.run.recipe), advance)
    missing = sum(wanted - len(found[item.question.id]) for item in new)
    if missing:
        report.note(f"{missing} of {wanted * len(new)} other wordings were not found; fewer will do")
    round_.finish(STAGE)
    return found


def _with_more(recipe: Recipe) -> Recipe:
    """What is written of a question whose answer was taught and has changed, beside what it had."""
    more = {"wordings": MORE * recipe.teach.wordings, "heldout_wordings": 0}
    return recipe.model_copy(update={"teach": recipe.teach.model_copy(update=more)})


@dataclass
class _Writing:
    """The rewordings of a round, of which `found` and `taken` grow."""

    round_: Round
    found: dict[str, list[Rewording]]
    taken: set[str]
    trained: set[str]
    lm: LanguageModel
    prompts: Prompts

    def write(self, items: Sequence[JudgedQuestion], recipe: Recipe, advance: Callable[[int], None]) -> None:
        """Of these questions as many as the recipe says, beside those that are taken."""
        blocks = _blocks(items, recipe.answering.block_size)
        begun = resume.begun(blocks, lambda item: bool(self._own(item)))
        for number, block in enumerate(blocks):
            if number >= begun:
                for record in _block(block, self.taken, self.trained, self.lm, self.prompts, recipe):
                    if record.id not in {known.id for known in self.found[record.question_id]}:
                        self.found[record.question_id].append(record)
                self.round_.append(record for item in block for record in self.found[item.question.id])
            self.taken.update(text.normalise(r.text) for item in block for r in self._own(item))
            advance(len(block))

    def _own(self, item: JudgedQuestion) -> list[Rewording]:
        """Those that this round has written itself, of a block that is not done."""
        return [r for r in self.found[item.question.id] if text.normalise(r.text) not in self.taken]


def _had_before(
    round_: Round, items: Sequence[JudgedQuestion], taken: set[str], trained: set[str]
) -> dict[str, list[Rewording]]:
    """The rewordings of the last round that had any, by question; those that may not be used left out."""
    again = {one.question_id for one in round_.iter(Due)}
    wanted = {item.question.id for item in items} & again
    found: dict[str, list[Rewording]] = {}
    for one in round_.run.rounds:
        if one.number < round_.number:
            here: dict[str, list[Rewording]] = {}
            for record in one.iter(Rewording):
                if record.question_id in wanted:
                    here.setdefault(record.question_id, []).append(record)
            found |= here
    return {
        name: [
            record
            for record in some
            if (form := text.normalise(record.text)) not in taken
            and not (record.use == "heldout" and form in trained)
        ]
        for name, some in found.items()
    }


def _block(
    block: Sequence[JudgedQuestion],
    taken: set[str],
    trained: set[str],
    lm: LanguageModel,
    prompts: Prompts,
    recipe: Recipe,
) -> list[Rewording]:
    """The rewordings of some questions: written at once, checked in rounds of as many as are missing."""
    teach = recipe.teach
    wanted = teach.wordings + teach.heldout_wordings
    searches = [
        _Search(item, _candidates(item, written, trained, recipe))
        for item, written in zip(block, _written(block, lm, prompts, recipe), strict=True)
    ]
    reserved = set(taken)
    while True:
        trial = [(search, asked) for search in searches for asked in _next(search, wanted, reserved)]
        if not trial:
            break
        chats = [prompts.chat("read", document=s.item.document, question=asked) for s, asked in trial]
        sampling = from_document(recipe.answering, 0, recipe.seed)
        for (search, asked), answers in zip(trial, lm.generate(chats, sampling), strict=True):
            if same_answer(answers[0].text, search.item.reference, search.item.question.text, asked):
                search.accepted.append(asked)
    return [
        Rewording(question_id=search.item.question.id, text=asked, use=use)
        for search in searches
        for asked, use in _shared_out(search.accepted, trained, teach)
    ]


def _shared_out(
    accepted: Sequence[str], trained: set[str], block: TeachBlock
) -> list[tuple[str, Literal["train", "heldout"]]]:
    """Which are trained and which held out: the last ones, which are no rarer than the first (shuffled).

    Where a model finds fewer than are wanted, up to half of them are held out before all are trained: what
    was learned cannot be told from the wordings that were.  What an earlier round trained came first, and is
    never held out.
    """
    fresh = sum(text.normalise(asked) not in trained for asked in accepted)
    few = min(block.heldout_wordings, len(accepted) // 2)
    held = min(fresh, max(few, len(accepted) - block.wordings))
    first = len(accepted) - held
    return [(asked, "train" if place < first else "heldout") for place, asked in enumerate(accepted)]


def proposals(block: TeachBlock) -> int:
    """Rewordings asked for per question: more than are wanted, for many do not pass; without chance one."""
    return 2 * (block.wordings + block.heldout_wordings) + 4 if block.reword_temperature else 1


def _written(
    block: Sequence[JudgedQuestion], lm: LanguageModel, prompts: Prompts, recipe: Recipe
) -> list[list[Completion]]:
    teach = recipe.teach
    sampling = Sampling(
        n=proposals(teach),
        temperature=teach.reword_temperature,
        max_new_tokens=MAX_NEW_TOKENS,
        seed=recipe.seed,
    )
    return lm.generate([prompts.chat("reword", question=i.question.text) for i in block], sampling)


def _candidates(
    item: JudgedQuestion, written: Sequence[Completion], trained: set[str], recipe: Recipe
) -> list[str]:
    """Usable rewordings in random order: whole, distinct, different from the original, with its names.

    Those in `trained` come first, and no more of them than there are wordings to train on.
    """
    seen = {text.normalise(item.question.text)}
    usable = []
    for completion in written:
        asked = next(iter(entries(completion.text, "question")), "")  # models wrap it in JSON, quotes, labels
        form = text.normalise(asked)
        if (
            completion.finish == "stop"
            and form
            and form not in seen
            and keeps_names(item.question.text, asked)
        ):
            usable.append(asked)
        seen.add(form)
    random.Random(f"{recipe.seed}:wordings:{item.question.id}").shuffle(usable)
    old = [asked for asked in usable if text.normalise(asked) in trained]
    return [*old[: recipe.teach.wordings], *(asked for asked in usable if asked not in old)]


def _next(search: _Search, wanted: int, reserved: set[str]) -> list[str]:
    """As many untried candidates as the question still lacks; they are reserved for it."""
    trial: list[str] = []
    while search.candidates and len(search.accepted) + len(trial) < wanted:
        asked = search.candidates.pop(0)
        form = text.normalise(asked)
        if form not in reserved:
            reserved.add(form)
            trial.append(asked)
    return trial


def same_answer(answer: str, reference: str, question: str, rewording: str = "") -> bool:
    """Whether `answer`, to `question` or to a rewording of it, says what `reference` says to `question`.

    By `agreement.same_words`; or it denies and doubts as the reference does, has all that the reference adds
    to what was asked, and no other name or number beside ("The Russian code is +7" for "Russia's calling code
    is +7"); or it has the names and numbers of the reference, in nearly the same words: a wrong one costs
    little in F1.
    """
    if same_words(answer, reference, question):
        return True
    said = words(answer)
    if denials(said) != denials(words(reference)):
        return False
    asked = (question, rewording or question)
    added = frozenset.intersection(*(adds(one, answer) for one in asked))
    stated = frozenset.intersection(*(claims(one, answer) for one in asked))
    wanted = adds(question, reference)
    if wanted and wanted <= added and stated == claims(question, reference):
        return True
    complete = claims(question, reference) <= added and particulars(reference) <= set(said)
    return complete and text.token_f1(answer, reference) >= AGREEMENT


def keeps_names(question: str, rewording: str) -> bool:
    """Whether every name and number of `question` is in `rewording`; an ending ("Peru's") may be added.

    Names are words with a capital behind the first word; numbers are words with a digit, a sign
    or a symbol, and single letters.
    In scripts without capitals names cannot be told: there the round trip alone decides.
    """
    there = sorted(set(words(rewording)))
    for position, term in enumerate(terms(question)):
        named = term.raw[:1].isupper() and (position or term.article)
        if named or is_exact(term.word):
            stem = words(term.raw.partition("'s")[0])
            if not all(_begins_one(name, there) for name in stem):
                return False
    return True


def _begins_one(name: str, there: Sequence[str]) -> bool:
    """Whether one of the sorted words `there` is `name` with or without an ending."""
    at = bisect_left(there, name)
    return at < len(there) and there[at].startswith(name)


def _blocks(items: Sequence[JudgedQuestion], size: int) -> list[Sequence[JudgedQuestion]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
