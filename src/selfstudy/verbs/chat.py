"""Talking to a model, or to a run: its model before and after teaching, and what it knows about the question.

Lines in, lines out: the command line gives it a terminal or a pipe.  A run's models are asked each question
alone, with the prompt that they were probed, taught and verified with; a model by itself keeps the thread.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.errors import ModelError, RunError
from selfstudy.files import reading
from selfstudy.models.base import Route, Routes, Sampling
from selfstudy.models.taught import is_complete, is_whole
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, PromptStyle, ServerModel, weights_of
from selfstudy.records import (
    Answer,
    Check,
    Evidence,
    Message,
    Question,
    Reference,
    Score,
    Verdict,
)
from selfstudy.run import Round, Run
from selfstudy.run.directory import is_run
from selfstudy.run.models import as_taught
from selfstudy.run.standing import decided, decision, promoted_last
from selfstudy.text import one_line
from selfstudy.verbs.nearest import nearest

if TYPE_CHECKING:
    from selfstudy.models.base import LanguageModel
    from selfstudy.models.server.servers import Servers

NEW = "/new"
"""Typed alone: begins a new conversation."""
SIDE_BY_SIDE = 90
"""Columns from which two answers stand beside each other."""
_LABEL = 8


@dataclass(frozen=True)
class Known:
    """What a run knows about its question nearest to one that is asked."""

    nearness: float
    question: Question
    round: int = 1
    score: float | None = None
    verdict: str | None = None
    passage: str = ""
    reference: str = ""
    source: str = ""
    evidence: str = ""
    checks: dict[str, bool | None] = field(default_factory=dict)
    """Whether base and taught were right when verify asked it."""

    def lines(self) -> Iterator[str]:
        """For a person to read."""
        yield f'nearest question of the run ({self.nearness:.2f}): "{self.question.text}"'
        score = "no score" if self.score is None else f"hallucination score {self.score:.2f}"
        yield f"{score}; verdict: {self.verdict or 'none'}"
        if self.reference:
            yield f"reference: {self.reference}"
        if self.evidence:
            yield f"evidence, from {self.source}: {_short(self.evidence)}"
        if self.checks:
            right = {True: "right", False: "wrong", None: "not judged"}
            yield "verify: " + ", ".join(f"{arm} was {right[value]}" for arm, value in self.checks.items())


class Knowledge:
    """The questions of a run, to be found by their words."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def nearest(self, asked: str) -> Known | None:
        """What is known about the nearest question, by token F1; None below NEAR."""
        found = nearest(((question.id, question.text) for question, _ in self._questions), asked)
        if not found or not found[0].is_near:
            return None
        return self._known(found[0].nearness, *self._questions[found[0].place])

    @cached_property
    def _questions(self) -> list[tuple[Question, Round]]:
        return [(question, turn) for turn in self._run.rounds for question in turn.iter(Question)]

    def _known(self, nearness: float, question: Question, turn: Round) -> Known:
        scorer = self._run.recipe.probe.scorer
        mine = question.id
        scores = [s.value for s in turn.where(Score, "question_id", {mine}) if s.scorer == scorer]
        verdict = next(turn.where(Verdict, "question_id", {mine}), None)
        answer = next(turn.where(Answer, "question_id", {mine}), None)
        wanted = verdict.reference_id if verdict else None
        references = turn.where(Reference, "question_id", {mine})
        reference = next((one for one in references if wanted in (None, one.id)), None)
        read_in = {reference.evidence_id} if reference is not None else set()
        evidence = next(turn.where(Evidence, "id", read_in), None) if read_in else None
        checks: dict[str, bool | None] = {
            c.arm: c.correct
            for c in turn.where(Check, "question_id", {mine})
            if c.wording == "original" and c.target != "reading"
        }
        return Known(
            nearness=nearness,
            question=question,
            round=turn.number,
            score=scores[0] if scores else None,
            verdict=verdict.kind if verdict else None,
            passage=answer.passage.text if answer else "",
            reference=reference.text if reference else "",
            source=evidence.source if evidence else "",
            evidence=evidence.text if evidence else "",
            checks=checks,
        )


@dataclass(frozen=True)
class Spoken:
    """What one model answered.

    Attributes:
        label: of the model.
        error: why there is no answer; then `text` is empty.
        route: which adapter it was, of a model that has several.
    """

    label: str
    text: str
    error: str | None = None
    route: Route | None = None

    @property
    def shown(self) -> str:
        """The answer, or why there is none."""
        return f"[no answer: {self.error}]" if self.error is not None else self.text or "[an empty answer]"

    @property
    def who(self) -> str:
        """Which adapter answered; "" of a model that has no choice."""
        if self.route is None:
            return ""
        who = self.route.adapter or "none: the base model answered"
        return f"{who} (nearest taught question {self.route.score:.2f})"


@dataclass(frozen=True)
class TalkTurn:
    """What was asked, what each model answered, and what the run knows about it."""

    asked: str
    answers: tuple[Spoken, ...]
    known: Known | None = None


@dataclass
class Talk:
    """A conversation: `ask` takes what a person said, `answer` gives the lines to show.

    Attributes:
        models: by the label that their answers get, in the order to ask them.
        alone: each question is asked by itself, with the prompt `answer`.
    """

    models: dict[str, LanguageModel]
    sampling: Sampling
    prompts: Prompts = field(default_factory=Prompts)
    knowledge: Knowledge | None = None
    alone: bool = False
    notes: list[str] = field(default_factory=list)
    """What a person should know before the first question."""
    _history: dict[str, list[Message]] = field(default_factory=dict)

    def answer(self, said: str, width: int = 80) -> list[str]:
        """The answers of all models to a line, and what the run knows about it."""
        if said.strip() == NEW:
            self._history.clear()
            return ["a new conversation begins"]
        exchange = self.ask(said)
        lines = list(_shown({one.label: one.shown for one in exchange.answers}, width))
        for one in exchange.answers:
            if one.who:
                lines += _block("adapter", one.who, width)
        if exchange.known is not None:
            lines += _block("run", "\n".join(exchange.known.lines()), width)
        elif self.knowledge is not None:
            lines += _block("run", "it has no question like this", width)
        return lines

    def ask(self, said: str) -> TalkTurn:
        """The same, as data."""
        answers = tuple(self._ask(label, lm, said) for label, lm in self.models.items())
        return TalkTurn(said, answers, self.knowledge.nearest(said) if self.knowledge is not None else None)

    def _ask(self, label: str, lm: LanguageModel, said: str) -> Spoken:
        history = [] if self.alone else self._history.setdefault(label, [])
        turn = Message(role="user", content=said)
        asked = self.prompts.chat("answer", question=said)
        # a model that only goes on writing is shown how one answers
        chat = asked if self.alone else (*(one for one in asked if one.demonstration), *history, turn)
        found = lm.generate([chat], self.sampling)[0][0]
        if found.error is not None:
            return Spoken(label, "", found.error)
        history += [turn, Message(role="assistant", content=found.text)]
        route = lm.route([(turn,)])[0] if isinstance(lm, Routes) else None
        return Spoken(label, found.text, route=route)


def open_talk(
    place: str,
    *,
    compare: bool = False,
    temperature: float = 0.0,
    max_new_tokens: int = 256,
    prompt: PromptStyle | None = None,
    servers: Servers | None = None,
) -> Talk:
    """A conversation with the model, or the run, at `place`.

    Args:
        compare: with a run, base and taught side by side.
        prompt: how a model is asked, as `model.prompt` of a recipe; a run's recipe says how its models are.
        servers: starts the engine that the model needs, if it needs one.

    Raises:
        ModelError: there is no such model, `compare` without a run, or `prompt` with one.
        RunError: `compare`, but the run has taught nothing.
    """
    from selfstudy.models import load_lm

    folder = reading.expanded(place)
    if not is_run(folder):
        if compare:
            raise ModelError(f"{place} is no run, so there is nothing to compare", "give a run directory")
        sampling = Sampling(temperature=temperature, max_new_tokens=max_new_tokens)
        block = LocalModel(path=place, prompt=prompt or "auto")
        return Talk({"model": load_lm(block)}, sampling)
    if prompt is not None:
        raise ModelError(
            f"{place} is a run, whose recipe says how its models are asked", "leave out --prompt"
        )
    run = Run.open(folder, write=False)
    answering = run.recipe.answering
    sampling = Sampling(
        temperature=temperature,
        max_new_tokens=min(max_new_tokens, answering.max_new_tokens),
        repetition_penalty=answering.repetition_penalty,
    )
    adapter, notes = _taught(run, compare)
    base = run.recipe.model
    swaps = adapter is not None and compare and is_whole(adapter)
    if adapter is not None and isinstance(base, ServerModel) and (swaps or not _serves_both(base)):
        notes.append(f"asked in this process: {base.engine} would have to start again for each model")
        base = weights_of(base) or base
    models = {"base": base} if compare or adapter is None else {}
    if adapter is not None:
        models["taught"] = as_taught(base, adapter)
    return Talk(
        {label: load_lm(block, cache=run.recipe.cache, servers=servers) for label, block in models.items()},
        sampling,
        Prompts(run.recipe.prompts),
        Knowledge(run),
        alone=True,
        notes=notes,
    )


def has_taught(run: Run) -> bool:
    """Whether a run has an adapter, so that base and taught can be compared."""
    return promoted_last(run) is not None or any(is_complete(turn.adapter()) for turn in run.rounds)


def _taught(run: Run, compare: bool) -> tuple[Path | None, list[str]]:
    """The adapter that was promoted last; to compare, the last one there is will do."""
    if (promoted := promoted_last(run)) is not None:
        return decided(promoted), [f"taught: what round {promoted.number} promoted"]
    adapters = [turn for turn in run.rounds if is_complete(turn.adapter())]
    if compare and adapters:
        gate = decision(adapters[-1])
        why = " ".join((gate and gate.reasons) or ["verify has not decided yet."])
        return decided(adapters[-1]), [f"taught: round {adapters[-1].number}, not promoted. {why}"]
    if compare:
        raise RunError(f"{run.path} has taught nothing yet", f"selfstudy chat {run.path}, without --compare")
    return None, ["nothing was promoted: this is the base model"]


def _serves_both(block: ServerModel) -> bool:
    """Whether the engine answers with the base model and with an adapter, without being started again."""
    from selfstudy.models.server import engines

    return engines.find(block.engine).adapters in ("named", "created")


def _shown(answers: dict[str, str], width: int) -> Iterator[str]:
    if len(answers) != 2 or width < SIDE_BY_SIDE:
        for label, answer in answers.items():
            yield from _block(label, answer, width)
        return
    each = (width - 3) // 2
    columns = [[label, *_wrapped(answer, each)] for label, answer in answers.items()]
    for i in range(max(map(len, columns))):
        left, right = (column[i] if i < len(column) else "" for column in columns)
        yield f"{left:<{each}} | {right}".rstrip()


def _block(label: str, content: str, width: int) -> list[str]:
    lines = _wrapped(content, width - _LABEL)
    return [f"{label if i == 0 else '':<{_LABEL}}{line}".rstrip() for i, line in enumerate(lines or [""])]


def _wrapped(content: str, width: int) -> list[str]:
    return [part for line in content.splitlines() for part in textwrap.wrap(line, max(20, width)) or [""]]


def _short(content: str, most: int = 240) -> str:
    return one_line(content, most)
