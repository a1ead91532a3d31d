from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from selfstudy import ScriptedLM
from selfstudy.errors import SelfstudyError
from selfstudy.models.base import Sampling, chat
from selfstudy.probe import chunks
from selfstudy.probe.questions import Asker, Material, about_document, first_question, some_each
from selfstudy.probe.stage import run_probe
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.recipe import STDIN, AnsweringBlock, Ask, ProbeBlock, Recipe
from selfstudy.records import Answer, Document, Failure, Proposal, Question
from selfstudy.run import Round, Run
from selfstudy.run.first_records import FirstRecords
from selfstudy.text import normalise

from .world import COUNTRIES, Spots, Student, asking, models, pages


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("What is the capital of Chile?", "What is the capital of Chile?"),
        ("Sure! I wonder: who was J. F. Kennedy? He is famous.", "I wonder: who was J. F. Kennedy?"),
        ("Here is one.\n1. Who rules Fiji?\n2. Why?", "Who rules Fiji?"),
        ('Question: "Who rules Fiji?"', "Who rules Fiji?"),
        ("Q1: Who  rules\tFiji? A: nobody", "Who rules Fiji?"),
        ("谁统治斐济？", "谁统治斐济？"),
        ("Ποιος κυβερνά τα Φίτζι;", "Ποιος κυβερνά τα Φίτζι;"),
        ("من يحكم فيجي؟ لا أعرف.", "من يحكم فيجي؟"),
        ("Ո՞վ է կառավարում Ֆիջին։", "Ո՞վ է կառավարում Ֆիջին։"),
        ("There is no question.", None),
        ("?", None),
        ("", None),
    ],
)
def test_first_question(said: str, expected: str | None) -> None:
    assert first_question(said) == expected


def chunk(text: str, title: str = "") -> chunks.Chunk:
    return chunks.Chunk("d", title, title, text)


@pytest.mark.parametrize(
    ("question", "where", "valid"),
    [
        ("What is the capital of Chile?", chunk("Its capital is old.", "Chile"), True),
        ("What is its capital?", chunk("Its capital is old.", "Chile"), False),
        ("Where does the Danube end?", chunk("A river, the Danube, ends in the Black Sea."), True),
        ("Where does it end?", chunk("A river, the Danube, ends in the Black Sea."), False),
        ("What is the capital of Chile according to the document?", chunk("x", "Chile"), False),
        ("Which country does this passage name, Chile?", chunk("x", "Chile"), False),
        ("What does The Text say about Chile?", chunk("x", "Chile"), True),
        ("Who found the Northwest Passage?", chunk("Amundsen found the Northwest Passage."), True),
        ("The what?", chunk("The thing. What now."), True),  # a chunk without any name asks for none
        ("谁统治斐济？", chunk("斐济由谁统治。"), True),
        # one Latin acronym does not give a script capitals
        ("谁统治斐济？", chunk("斐济是UN的成员。"), True),
        ("من يحكم فيجي؟", chunk("فيجي عضو في UN."), True),
        ("फ़िजी पर कौन शासन करता है?", chunk("फ़िजी UN का सदस्य है।"), True),
        ("ვინ მართავს ფიჯის?", chunk("ფიჯი UN-ის წევრია."), True),
        ("Кто правит там?", chunk("На Фиджи правит Рабука."), False),
    ],
)
def test_about_document(question: str, where: chunks.Chunk, valid: bool) -> None:
    assert (about_document(question, where) is None) is valid


def words(piece: str) -> int:
    return len(piece.split())


def test_chunks_fit_begin_with_the_first_sentence_and_cover_the_document() -> None:
    document = pages(40)[0]
    found = chunks.chunks_of(document, 50, words)
    assert len(found) > 3
    assert all(words(c.text) <= 50 and c.text.startswith("The capital of Austria is item 0.") for c in found)
    assert {f"item {i}." for i in range(40)} == {
        f"item {x.split()[0]}" for c in found for x in c.text.split("item ")[1:]
    }


def test_the_line_end_behind_the_header_counts() -> None:
    def lines_too(piece: str) -> int:
        return words(piece) + piece.count("\n")

    found = chunks.chunks_of(pages(40)[0], 48, lines_too)
    assert max(lines_too(c.text) for c in found) == 6 + 1 + 6 * 6  # sentences of six words


def test_a_header_as_long_as_the_chunk_is_dropped() -> None:
    long = "This first sentence has very many words about Chile in it " * 4 + "."
    found = chunks.chunks_of(Document(source="a", text=f"{long} Peru is near. Fiji is far."), 20, words)
    assert all(words(c.text) <= 20 for c in found)
    assert found[-1].text.endswith("Peru is near. Fiji is far.")


def test_rounds_spread_over_documents_before_they_come_back() -> None:
    documents = [*pages(40), Document(source="empty", text=" ")]
    order = list(chunks.over_documents(documents, 50, 2, words, seed=0))
    first = [c.title for c in order[: len(COUNTRIES)]]
    assert sorted(first) == sorted(COUNTRIES) != first
    assert order == list(chunks.over_documents(documents, 50, 2, words, seed=0))
    assert first != [
        c.title for c in list(chunks.over_documents(documents, 50, 2, words, seed=1))[: len(COUNTRIES)]
    ]
    assert all(order.count(c) == 2 for c in order)


def test_rounds_cut_no_more_documents_than_they_need() -> None:
    cut: list[str] = []
    stream = chunks.over_documents(pages(), 500, 1, lambda piece: cut.append(piece) or 1, seed=0)
    next(stream)
    assert len({name for name in COUNTRIES if any(name in piece for piece in cut)}) == 1


def test_equal_chats_get_different_completions_in_order() -> None:
    student = Student()
    ask = chat("Topics: Austria, Belgium, Chile\nAsk one question about one of these topics.")
    other = chat("Topics: Fiji\nAsk one question about one of these topics.")
    found = [one for (one,) in some_each(student, [ask, other, ask, ask, ask, ask, ask], Sampling(seed=1))]
    assert len({c.text for i, c in enumerate(found) if i != 1}) > 1
    assert "Fiji" in found[1].text
    assert student.calls == 2, "one call per number of repeats"


def ask_all(
    tmp_path: Path, ask: Ask, student: Student | None = None, block_size: int = 16
) -> tuple[Round, int]:
    run = Run.create_or_resume(
        tmp_path / "run",
        Recipe(probe=ProbeBlock(ask=(ask,)), answering=AnsweringBlock(block_size=block_size)),
    )
    turn = run.round(1)
    found = Asker(0, ask, turn, student or Student(), Spots(), Prompts(), Material(pages())).run(
        lambda n: None, FirstRecords(turn, "asking", works=True)
    )
    run.close()
    return turn, found


def test_documents_give_valid_distinct_questions_until_the_count(tmp_path: Path) -> None:
    turn, found = ask_all(tmp_path, asking(method="documents", count=30, per_chunk=8))
    questions = turn.read(Question)
    assert found == len(questions) == 30
    assert len({normalise(q.text) for q in questions}) == 30
    documents = {d.id: d for d in pages()}
    for q in questions:
        assert q.document_id is not None
        assert documents[q.document_id].title == q.topic
        assert q.topic in q.text
    proposals = turn.read(Proposal)
    assert {p.question_id for p in proposals if p.error is None} == {q.id for q in questions}
    failures = {f.item_id for f in turn.read(Failure)}
    assert failures == {p.id for p in proposals if p.error is not None}
    assert any((p.error or "").startswith("already proposed") for p in proposals)


def test_documents_end_when_the_chunks_do(tmp_path: Path) -> None:
    turn, found = ask_all(tmp_path, asking(method="documents", count=1000, per_chunk=2))
    assert found == len(turn.read(Question)) < len(turn.read(Proposal)) + 1 == 21


def test_open_keeps_every_proposal_and_one_question_per_text(tmp_path: Path) -> None:
    turn, found = ask_all(tmp_path, asking(method="open", count=200))
    proposals, questions = turn.read(Proposal), turn.read(Question)
    assert found == len(proposals) == 200
    assert len(questions) == len({p.text for p in proposals}) <= len(COUNTRIES) * 5
    assert {p.question_id for p in proposals} == {q.id for q in questions}
    assert all(q.topic in COUNTRIES and q.topic in q.text for q in questions)


def test_induced_uses_six_words_per_topic_set(tmp_path: Path) -> None:
    heard: list[str] = []

    class Listener(Student):
        def _say(self, prompt: str, rng: object) -> str:
            heard.append(prompt)
            return super()._say(prompt, rng)  # type: ignore[arg-type]

    ask_all(tmp_path, asking(method="induced", count=20), Listener())
    asked = [p for p in heard if p.startswith("Topics:")]
    used = [p.rsplit("word ", 1)[1].rstrip(".") for p in asked]
    assert len(asked) == 20
    assert sorted(used[:6]) == sorted(["WHAT", "WHO", "WHY", "WHERE", "WHEN", "HOW"])
    assert len({p.splitlines()[0] for p in asked}) <= 4


@pytest.mark.parametrize("method", ["external", "oracle"])
def test_topics_from_files(tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFSTUDY_HOME", str(tmp_path / "home"))
    path = tmp_path / "source.txt"
    path.write_text("".join(f"{name}\ta country\n" for name in COUNTRIES), encoding="utf-8")
    ask = Ask(method=method, count=25, source=path)  # type: ignore[arg-type]
    turn, found = ask_all(tmp_path, ask)
    assert found == (10 if method == "external" else 25), "external asks one question a title"
    assert {q.method for q in turn.read(Question)} == {method}


def test_questions_from_outside_are_asked_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "questions.txt"
    path.write_text("Who rules Fiji?\nwhat is peru\n\n  Who rules Fiji?  \n", encoding="utf-8")
    ask = Ask(method="external", count=10, source=path, questions=True)
    student = Student()
    turn, found = ask_all(tmp_path, ask, student)
    assert found == 3
    assert student.calls == 0
    assert [p.text for p in turn.read(Proposal)] == ["Who rules Fiji?", "what is peru", "Who rules Fiji?"]
    assert [(q.text, q.topic, q.method) for q in turn.read(Question)] == [
        ("Who rules Fiji?", "", "external"),
        ("what is peru", "", "external"),
    ]


def test_a_resumed_run_asks_what_the_function_first_gave(tmp_path: Path) -> None:
    probe = ProbeBlock(ask=(Ask(method="external", count=20, source=STDIN, questions=True),), samples=2)
    given: list[str] = [f"What is number {i}?" for i in range(20)]

    class Dying(Student):
        def generate(self, *args: Any, **more: Any) -> Any:
            if self.calls == 2:
                raise KeyboardInterrupt
            return super().generate(*args, **more)

    path = tmp_path / "run"
    with (
        Run.create_or_resume(path, Recipe(probe=probe, answering=AnsweringBlock(block_size=4))) as run,
        pytest.raises(KeyboardInterrupt),
    ):
        run_probe(run.round(1), models(Dying()), Prompts(), [], Silent(), lambda: given)
    with Run.create_or_resume(path, Recipe(probe=probe, answering=AnsweringBlock(block_size=4))) as run:
        run_probe(run.round(1), models(), Prompts(), [], Silent(), lambda: ["Something else?"])
        turn = run.round(1)
        assert [q.text for q in turn.read(Question)] == given
        assert len(turn.read(Answer)) == 20


def test_what_is_no_question_still_counts_as_proposed(tmp_path: Path) -> None:
    class Echo(Student):
        def _say(self, prompt: str, rng: object) -> str:
            return f"{prompt}..."

    turn, found = ask_all(tmp_path, asking(method="open", count=5), Echo())
    assert found == 5
    assert all(q.text.endswith("...") for q in turn.read(Question))


@pytest.mark.parametrize("broken", ["three topics", "Ask one question"])
def test_a_model_that_fails_leaves_failures_and_no_questions(tmp_path: Path, broken: str) -> None:
    turn, found = ask_all(tmp_path, asking(method="open", count=7), Student(broken=broken))
    assert found == 0
    assert turn.read(Question) == []
    assert len(turn.read(Proposal)) == len(turn.read(Failure)) == 7


def test_an_empty_reply_is_said_to_be_empty(tmp_path: Path) -> None:
    ask = asking(method="documents", count=1)
    documents = [Document(source="mill.txt", title="mill", text="The mill burned down in 1911.")]
    with (
        Run.create_or_resume(tmp_path / "run", Recipe(probe=ProbeBlock(ask=(ask,), samples=2))) as run,
        pytest.raises(SelfstudyError, match="the model proposed nothing"),
    ):
        run_probe(
            run.round(1), replace(models(), lm=ScriptedLM({r".": [""]})), Prompts(), documents, Silent()
        )


def test_one_question_about_two_documents_names_both(tmp_path: Path) -> None:
    lm = ScriptedLM({r".": ["When was it built?"]})
    documents = [
        Document(source=f"{name}.txt", title=name, text="it was built long ago.")
        for name in ("bridge", "tower")
    ]
    ask = asking(method="documents", count=2)
    with Run.create_or_resume(tmp_path / "run", Recipe(probe=ProbeBlock(ask=(ask,), samples=2))) as run:
        run_probe(run.round(1), replace(models(), lm=lm), Prompts(), documents, Silent())
        assert [q.text for q in run.round(1).iter(Question)] == ["When was it built?"]
        (failure,) = run.round(1).iter(Failure)
        assert "already proposed about " in failure.message
        assert "'bridge'" in failure.message
        assert "'tower'" in failure.message
