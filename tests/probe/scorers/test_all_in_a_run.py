"""All scorers in one probe: a killed run ends like an undisturbed one, and no pair is judged twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest

from selfstudy.files.cache import Cache
from selfstudy.models import Models, load_lm, load_nli
from selfstudy.models.scripted import ScriptedLM
from selfstudy.probe.stage import run_probe
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import AnsweringBlock, LocalModel, NLIBlock, ProbeBlock, Recipe, ScorerName
from selfstudy.records import Failure, Question, Score
from selfstudy.run import Run

from ..world import Spots, Student, asking, pages

NAMES = get_args(ScorerName)
RECIPE = Recipe(
    probe=ProbeBlock(ask=(asking(method="documents", count=14, per_chunk=6),), samples=4, compare=NAMES),
    answering=AnsweringBlock(block_size=4),
)


class Graded(Student):
    """The student, with token probabilities; as a judge it gives a verdict that depends on the prompt."""

    def _say(self, prompt: str, rng: Any) -> str:
        if "Is the answer correct?" in prompt:
            grades = ("well",) if "of Austria" in prompt else ("correct", "incorrect", "unsure", "well")
            return rng.choice(grades)  # type: ignore[no-any-return]
        if "support the sentence?" in prompt:
            return rng.choice(("yes", "no", "well"))  # type: ignore[no-any-return]
        said = super()._say(prompt, rng)
        asked = re.search(r"(\w+ of \w+)\? Answer", prompt)
        return f"The {asked[1]} is {rng.choice(('pale', 'light', 'dark'))}. {said}" if asked else said

    def logprobs(self, chats: Sequence[Any], texts: Sequence[str]) -> list[list[float]]:
        return [[-1.0 - len(text)] for text in texts]

    def word_logprobs(self, chats: Sequence[Any], texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        return [[(word, -1.0 - len(word)) for word in text.split()] for text in texts]


class Killed(BaseException):
    pass


class Dying:
    """An entailment model that dies when asked for the `at`-th time, before or after it has judged."""

    name = "dying"

    def __init__(self, nli: Any, at: float = float("inf"), judged: bool = False) -> None:
        self.nli, self.at, self.judged, self.calls = nli, at, judged, 0

    def _ask(self, method: str, pairs: Any) -> Any:
        self.calls += 1
        if self.calls == self.at and not self.judged:
            raise Killed
        found = getattr(self.nli, method)(pairs)
        if self.calls == self.at:
            raise Killed
        return found

    def probabilities(self, pairs: Any, progress: Any = None) -> Any:
        return self._ask("probabilities", pairs)

    def classes(self, pairs: Any) -> Any:
        return self._ask("classes", pairs)


def probe(path: Path, nli: Any) -> dict[str, bytes]:
    with Run.create_or_resume(path, RECIPE) as run:
        run_probe(run.round(1), Models(Graded(), nli, Spots()), Prompts(), pages()[:4], Silent())
        return {p.name: p.read_bytes() for p in sorted(run.round(1).path.glob("*.jsonl"))}


def test_every_question_has_a_score_of_every_scorer_or_a_failure(tmp_path: Path, tiny_nli: Path) -> None:
    probe(tmp_path / "run", load_nli(NLIBlock(path=str(tiny_nli), device="cpu")))
    turn = Run.open(tmp_path / "run", write=False).round(1)
    scores, questions = turn.read(Score), turn.ids(Question)
    for name in NAMES:
        mine = [score for score in scores if score.scorer == name]
        assert {score.question_id for score in mine} == questions
        assert any(score.value is not None for score in mine), name
    unscored = [score for score in scores if score.value is None]
    assert "bsdetector" in {score.scorer for score in unscored}
    assert len(unscored) == len([f for f in turn.read(Failure) if f.item_id in questions])


def test_killed_at_any_judgement_it_ends_the_same_and_judges_no_pair_again(
    tmp_path: Path, tiny_nli: Path
) -> None:
    plain = load_nli(NLIBlock(path=str(tiny_nli), device="cpu"))
    judged: list[int] = []
    plain.model.register_forward_pre_hook(  # type: ignore[attr-defined]
        lambda model, args, kwargs: judged.append(len(kwargs["input_ids"])), with_kwargs=True
    )

    def cached(path: Path, **dying: Any) -> Dying:
        plain._cache = Cache(path / "nli.sqlite", shared=False)  # type: ignore[attr-defined]
        return Dying(plain, **dying)

    whole = cached(tmp_path / "whole")
    expected = probe(tmp_path / "whole-run", whole)
    pairs = sum(judged)
    assert pairs == len(Cache(tmp_path / "whole" / "nli.sqlite", shared=False))
    assert whole.calls > 10
    for at in (1, whole.calls // 3, whole.calls // 2, whole.calls):
        for done in (False, True):
            judged.clear()
            name = f"{at}-{done}"
            with pytest.raises(Killed):
                probe(tmp_path / name, cached(tmp_path / f"cache-{name}", at=at, judged=done))
            assert probe(tmp_path / name, cached(tmp_path / f"cache-{name}")) == expected, name
            assert sum(judged) == pairs


def test_real_models_with_every_scorer(
    tmp_path: Path, model_folder: Callable[..., Path], tiny_nli: Path
) -> None:
    loaded = Models(
        lm=load_lm(LocalModel(path=str(model_folder("llama")), device="cpu", demonstrations=False)),
        nli=load_nli(NLIBlock(path=str(tiny_nli), device="cpu")),
        embedder=Spots(),
        own_judge=ScriptedLM({"support": "no", "correct": "unsure"}),
    )
    block = RECIPE.probe.model_copy(
        update={
            "ask": (asking(method="open", count=4, max_new_tokens=12),),
            "samples": 2,
        }
    )
    with Run.create_or_resume(
        tmp_path / "run",
        RECIPE.model_copy(update={"probe": block, "answering": AnsweringBlock(max_new_tokens=8)}),
    ) as run:
        run_probe(run.round(1), loaded, Prompts(), pages()[:1], Silent())
        scores = run.round(1).read(Score)
    assert {score.scorer for score in scores} == set(NAMES)
    assert all(score.value is not None or score.error for score in scores)
