"""Which adapter answers: every rule, with questions whose similarities are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfstudy.errors import ModelError
from selfstudy.models.question_words import Worded
from selfstudy.models.router import Router, frame, numbered, routing_text
from selfstudy.models.router_file import RouterData
from selfstudy.prompts import Prompts
from selfstudy.recipe import EmbedderBlock
from selfstudy.records import Chat, Message

STORED = {"know ant": 0, "ask bee": 40, "ask cow": 60, "tell dog": 90}
"""Degrees; the first is the base's, the next two are of adapter `a`, the last is of `b`."""


class Angles:
    """An embedder of two dimensions, by a table of degrees; what is not in it gives zeros."""

    name = "angles"

    def __init__(self, degrees: Mapping[str, float]) -> None:
        self.degrees = degrees
        self.largest = 0

    def encode(self, texts: Sequence[str]) -> Any:
        self.largest = max(self.largest, len(texts))
        found = np.zeros((len(texts), 2), dtype=np.float32)
        for row, text in zip(found, texts, strict=True):
            if text in self.degrees:
                angle = np.deg2rad(self.degrees[text])
                row[:] = np.cos(angle), np.sin(angle)
        return found


def router(asked: Mapping[str, float] | None = None, **changed: Any) -> Router:
    """With `asked` in the table too; it need not cover any word, unless `cover` says so."""
    owners = (None, 0, 0, 1)
    worded = [(text, own, Worded.of([text])) for text, own in zip(STORED, owners, strict=True)]
    words, questions = numbered(worded)
    plain: dict[str, Any] = {
        "method": "nearest",
        "embedder": EmbedderBlock(),
        "fingerprint": "angles",
        "dimension": 2,
        "around": ("Please: ", " Be brief."),
        "page": "Page: ",
        "adapters": ("a", "b"),
        "thresholds": {"a": 0.8, "b": 0.8},
        "margin": 0.1,
        "cover": 0.0,
        "names": False,
        "words": words,
        "questions": questions,
        "rows": (0, 1, 2, 3),
    }
    embedder = Angles({**STORED, **(asked or {})})
    vectors = embedder.encode(list(STORED)) if "vectors" not in changed else changed.pop("vectors")
    return Router(RouterData(**plain | changed), vectors, embedder)


def routed(degrees: float, **changed: Any) -> str | None:
    return router({"it": degrees}, **changed).route(["it"])[0].adapter


def test_the_nearest_adapter_answers() -> None:
    near, far = router({"it": 44, "that": 88}).route(["it", "that"])
    assert (near.adapter, near.nearest) == ("a", "ask bee")
    assert near.score == pytest.approx(np.cos(np.deg2rad(4)), abs=1e-4)
    assert near.base == pytest.approx(np.cos(np.deg2rad(44)), abs=1e-4)
    assert (far.adapter, far.nearest) == ("b", "tell dog")


def test_a_score_must_reach_the_threshold_of_its_adapter() -> None:
    score = round(float(np.cos(np.deg2rad(25))), 4)
    assert routed(115, thresholds={"a": 0.99, "b": score}) == "b"
    assert routed(115, thresholds={"a": 0.0, "b": score + 0.0001}) is None


def test_a_score_must_exceed_the_base_by_the_margin() -> None:
    base, own = (round(float(np.cos(np.deg2rad(d))), 4) for d in (25, 15))
    assert routed(25, margin=round(own - base, 4)) == "a"
    assert routed(25, margin=round(own - base + 0.0001, 4)) is None


def test_what_is_as_near_to_the_base_is_its_own() -> None:
    assert routed(20, margin=0.0) is None
    assert routed(20.1, margin=0.0) == "a"


def test_of_two_adapters_as_near_the_newer_answers() -> None:
    assert routed(75, thresholds={"a": 0.5, "b": 0.5}) == "b"


def test_the_mean_of_neighbours_counts() -> None:
    assert router({"it": 50}, neighbours=2).route(["it"])[0].score == pytest.approx(
        np.cos(np.deg2rad(10)), abs=1e-4
    )


def test_the_words_of_the_nearest_question_must_be_there() -> None:
    """A near miss: as similar as can be, about something else."""
    asked = {"ask bee now": 41, "ask bees now": 41, "ask bee in Rome": 41}
    found = router(asked, cover=0.7, names=True).route(list(asked))
    assert [one.adapter for one in found] == ["a", None, None]
    assert [one.nearest for one in found] == ["ask bee", "", ""]


@pytest.mark.parametrize("text", ["", " \n", "…", "no such text", "it" * 600])
def test_what_is_no_question_is_the_base_models(text: str) -> None:
    assert router({"it" * 600: 40}).route([text])[0].adapter is None


def test_many_texts_are_as_one_and_embedded_in_batches() -> None:
    asked = {f"ask bee {at}": 40 + at / 50 for at in range(1000)}
    many = router(asked, cover=0.5)
    found = many.route(list(asked))
    assert found == [many.route([one])[0] for one in asked]
    assert many._embedder.largest == 256  # type: ignore[attr-defined]


def test_without_adapters_all_is_the_base_models() -> None:
    alone = router({"it": 40}).without(["a", "b"])
    assert alone.adapters == ()
    assert alone.route(["it"])[0].adapter is None
    assert "bee" not in alone.data.words


def test_deleting_an_adapter_deletes_what_it_was_taught_and_nothing_else(tmp_path: Path) -> None:
    asked = {"ask bee": 40, "tell dog": 90, "know ant": 0}
    whole = router(asked, cover=0.7)
    left = whole.without(["a"])
    assert [one.adapter for one in left.route(list(asked))] == [None, "b", None]
    assert [one.adapter for one in whole.route(list(asked))] == ["a", "b", None]
    left.save(tmp_path)
    written = (tmp_path / "router.json").read_text()
    assert not [word for word in ("bee", "cow", '"ask"', '"a"') if word in written]
    assert len(left.vectors) == 2
    assert left.without([]).data == left.data
    with pytest.raises(ModelError, match="no adapter 'a'"):
        left.without(["a"])


def test_it_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    whole = router({"it": 44}, cover=0.0)
    whole.save(tmp_path)
    assert Router.load(tmp_path, Angles({"it": 44})).route(["it"]) == whole.route(["it"])


def test_another_embedder_is_refused_when_something_is_routed(tmp_path: Path) -> None:
    router().save(tmp_path)
    loaded = Router.load(tmp_path)  # names lexical, with another fingerprint
    assert loaded.without(["a"]).adapters == ("b",), "and needs none to lose rows"
    with pytest.raises(
        ModelError, match=r"calibrated by the embedder lexical \(angles\).*lexical \(lexical\)"
    ):
        loaded.route(["it"])
    wide = Router(loaded.data.model_copy(update={"dimension": 3}), np.zeros((4, 3), np.float32), Angles({}))
    with pytest.raises(ModelError, match="vectors of 2 numbers"):
        wide.route(["it"])


def test_by_centroid_and_by_classifier() -> None:
    centroids = np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    plain: dict[str, Any] = {"method": "centroid", "rows": (), "questions": (), "words": ()}
    assert routed(53, vectors=centroids, **plain) == "a"
    assert routed(10, vectors=centroids, **plain) is None
    lines = np.array([[9, 0, 0], [0, 0, 0], [0, 9, 0]], dtype=np.float32)
    plain |= {"method": "classifier", "margin": 0.0}
    sure = router({"it": 90, "that": 45}, vectors=lines, **plain).route(["it", "that", "nothing"])
    assert [one.adapter for one in sure] == ["b", None, None]
    assert sure[0].score == pytest.approx(np.exp(9) / (np.exp(9) + 2), abs=1e-4)
    left = router({"it": 90}, vectors=lines, **plain).without(["a"])
    assert left.vectors.tolist() == [[9, 0, 0], [0, 9, 0]]
    assert left.route(["it"])[0].adapter == "b"


def turns(*contents: str) -> Chat:
    roles = ("user", "assistant")
    return tuple(Message(role=roles[at % 2], content=text) for at, text in enumerate(contents))  # type: ignore[arg-type]


def test_a_question_is_routed_alike_bare_and_within_the_prompt() -> None:
    asked = "What is the capital of Fiji?"
    for prompts in (Prompts(), Prompts().without_demonstrations()):
        assert routing_text(prompts.chat("answer", question=asked)) == asked
    assert routing_text(turns(f" {asked}\n")) == asked
    assert routing_text(turns("Hello", "Hi", asked)) == asked
    assert routing_text(()) == ""


def test_a_page_in_the_prompt_is_the_base_models() -> None:
    assert routing_text(Prompts().chat("read", document="Suva.", question="What is the capital?")) == ""


def test_a_router_goes_by_the_prompts_of_its_run() -> None:
    own = router()
    assert own.routing_text(turns("Please: ask bee Be brief.")) == "ask bee"
    assert own.routing_text(turns("Page: bees. Please: ask bee Be brief.")) == ""
    assert own.routing_text(turns("Be brief.")) == "Be brief."


def test_what_prompts_put_around_a_question(tmp_path: Path) -> None:
    assert frame(Prompts()) == (("", " Answer in one concise sentence."), "Document: ")
    (tmp_path / "answer.txt").write_text("System.\n---\nQ: ${question}\nA:")
    (tmp_path / "read.txt").write_text("$document\n$question")
    assert frame(Prompts(tmp_path)) == (("Q: ", "\nA:"), "")


def test_without_single_questions_of_the_base_model_or_of_an_adapter_that_stays() -> None:
    whole = router({"it": 40})
    names = [one.id for one in whole.data.questions]
    of_base = next(one.id for one in whole.data.questions if one.adapter is None)
    of_a = next(one.id for one in whole.data.questions if one.adapter == 0)
    left = whole.without([], [of_base, of_a, "unknown"])
    assert [one.id for one in left.data.questions] == [n for n in names if n not in (of_base, of_a)]
    assert left.adapters == whole.adapters
    assert left.vectors.shape[0] == len(left.data.rows) < whole.vectors.shape[0]
    assert all(row < len(left.data.questions) for row in left.data.rows)
