"""`selfstudy cite answer`: from a library or from rows' documents, checked, refused, killed and resumed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from selfstudy.cli import app
from selfstudy.errors import RunError
from selfstudy.judging.cited_items import asked
from selfstudy.judging.trust import REFUSAL
from selfstudy.library.index import Library
from selfstudy.models.base import Sampling, prompt_tokens
from selfstudy.models.scripted import ScriptedLM
from selfstudy.progress import Silent
from selfstudy.prompts import Prompts
from selfstudy.records import Document
from selfstudy.verbs.citing.answering import (
    NOTHING_FOUND,
    NOTHING_SUPPORTED,
    AnsweredQuestion,
    Answering,
    answer_all,
    cited_numbers,
)
from selfstudy.verbs.citing.questions import CitedQuestion, given_question, read_questions
from selfstudy.verbs.kept import KeptFolder
from tests.judging.test_citations import Entails

PAGES = [
    Document(source="rome.txt", title="Rome", text="Rome is a city. Rome was founded by Romulus."),
    Document(source="oslo.txt", title="Oslo", text="Oslo is a city in Norway."),
]
SCRIPT = {"founded Rome": "Romulus [1]. He was old [1].", "is Oslo": "In Norway [1].", "grows": "Moss [4]."}


class Reader(ScriptedLM):
    """Keeps what it was asked; reads so many words with its answer."""

    def __init__(self, context: int | None = None, script: dict[str, str] | None = None) -> None:
        super().__init__({f"Question: [^\n]*{ask}": say for ask, say in (script or SCRIPT).items()})
        self.context = context
        self.asked: list[str] = []

    def generate(self, chats: Any, sampling: Any, progress: Any = None) -> Any:
        self.asked += [chat[-1].content for chat in chats]
        return super().generate(chats, sampling, progress)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library.build(PAGES, tmp_path_factory.mktemp("library") / "index", chunk_tokens=64)


def way(lm: Reader, library: Library | None, entails: Any = None, **more: Any) -> Answering:
    judge = Entails(entails) if entails is not None else None
    sampling = Sampling(temperature=0.0, max_new_tokens=20)
    return Answering(lm, Prompts(), library, more.get("documents", 5), sampling, judge)


def test_it_is_answered_from_the_passages_that_fit_best(library: Library) -> None:
    lm = Reader()
    (found,) = way(lm, library, documents=1).answer([given_question("Who founded Rome?")])
    assert found.output == "Romulus [1]. He was old [1]."
    assert [(one["title"], one["source"]) for one in found.docs] == [("Rome", "rome.txt")]
    assert found.docs[0]["text"] == PAGES[0].text
    assert found.docs[0]["score"] > 0
    assert "[1] Rome: Rome is a city. Rome was founded by Romulus." in lm.asked[0]
    assert found.absent == []


class Unreachable:
    """A retriever whose service does not answer."""

    def find(self, questions: Any, hits: int) -> Any:
        return [[] for _ in questions]

    def unanswered(self, questions: Any) -> Any:
        return ["searxng: HTTP 500" if "Rome" in one else None for one in questions]


def test_what_could_not_be_looked_up_is_an_error_and_no_refusal() -> None:
    lm = Reader()
    asked = [given_question("Who founded Rome?"), given_question("Where is Oslo?")]
    failed, empty = Answering(lm, Prompts(), Unreachable(), 5, Sampling()).answer(asked)
    assert failed.error == "not looked up: searxng: HTTP 500"
    assert failed.output == ""
    assert failed.model_failed  # so that it is tried again
    assert (empty.error, empty.output, empty.refused) == (None, REFUSAL, NOTHING_FOUND)
    assert lm.asked == []


def test_without_a_document_nothing_is_asked(library: Library) -> None:
    lm = Reader()
    told: list[int] = []
    one, other = way(lm, library).answer(
        [given_question("Zzzz qqqq?"), given_question("Where is Oslo?")], told.append
    )
    assert (one.output, one.refused, one.docs) == (REFUSAL, NOTHING_FOUND, ())
    assert other.output == "In Norway [1]."
    assert len(lm.asked) == 1
    assert sum(told) == 2


def test_no_more_documents_are_shown_than_the_model_reads() -> None:
    row = {"question": "Where is Oslo?", "docs": [{"text": "word " * 40}, {"text": "word " * 40}]}
    item = read_row(row)
    assert item.item is not None
    needed = prompt_tokens(Reader(), [asked(item.item, Prompts())]) + 20
    for context, shown in ((None, 2), (needed, 2), (needed - 1, 1)):
        (found,) = way(Reader(context), None).answer([item])
        assert (len(found.docs), found.unshown) == (shown, 2 - shown)
    (one,) = way(Reader(context=10), None).answer([item])  # it is asked all the same, and says why it cannot
    assert (len(one.docs), one.unshown) == (1, 1)


def read_row(row: dict[str, Any]) -> CitedQuestion:
    from selfstudy.files.rows import Row
    from selfstudy.verbs.citing import questions

    return questions._read(Row("item 1", row), listed=False, finding=False)


def test_statements_are_checked_and_what_nothing_supports_is_refused(library: Library) -> None:
    two = [given_question("Who founded Rome?"), given_question("Where is Oslo?")]
    good, bad = way(Reader(), library, lambda premise, text: text == "Romulus.").answer(two)
    assert [one.supported for one in good.statements] == [True, False]
    assert good.output == "Romulus [1]. He was old [1]."
    assert (bad.output, bad.refused, bad.said) == (REFUSAL, NOTHING_SUPPORTED, "In Norway [1].")
    assert bad.statements[0].why == "what it cites does not support it"


def test_a_refusal_is_not_checked(library: Library) -> None:
    lm = Reader(script={"Oslo": REFUSAL})
    never = way(lm, library, lambda premise, text: pytest.fail("it was judged"))
    (found,) = never.answer([given_question("Where is Oslo?")])
    assert (found.output, found.refused, found.statements) == (REFUSAL, "", ())


def test_what_could_not_be_checked_is_said_and_stays(library: Library) -> None:
    judge = Entails(lambda premise, text: True)
    judge.classes = lambda pairs: ["" for _ in pairs]  # type: ignore[method-assign, assignment]
    unsure = Answering(Reader(), Prompts(), library, 5, Sampling(temperature=0.0), judge)
    (found,) = unsure.answer([given_question("Where is Oslo?")])
    assert found.output == "In Norway [1]."
    assert "gave no number" in found.unchecked


def test_numbers_that_no_document_has_are_known(library: Library) -> None:
    (found,) = way(Reader(), library).answer([given_question("What grows in Oslo city?")])
    assert found.absent == [4]
    assert cited_numbers("A [2][1]. B [2]. C [0].") == [0, 1, 2]


def all_of(folder: Path, lm: Reader, questions: list[CitedQuestion]) -> list[AnsweredQuestion]:
    return answer_all(questions, way(lm, None), {"model": "m"}, KeptFolder(folder, 2), Silent())


class Killed(Reader):
    """Ends the process at its second block."""

    def generate(self, chats: Any, sampling: Any, progress: Any = None) -> Any:
        if self.asked:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().generate(chats, sampling, progress)


def test_a_kill_changes_no_byte_and_what_is_done_is_not_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    texts = ("Who founded Rome?", "Where is Oslo?", "", "What grows in Oslo?", "Where is Oslo?")
    rows = [{"question": text or "Zzz?", "docs": [{"text": "It is so."}] if text else []} for text in texts]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    some = read_questions(path, finding=False)
    child = os.fork()
    if not child:
        all_of(tmp_path / "killed", Killed(), some)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    kept = tmp_path / "killed/answers.jsonl"
    assert kept.read_bytes().count(b"\n") == 2
    lm = Reader()
    whole = all_of(tmp_path / "whole", Reader(), some)
    assert all_of(tmp_path / "killed", lm, some) == whole
    assert len(lm.asked) == 2
    assert kept.read_bytes() == (tmp_path / "whole/answers.jsonl").read_bytes()
    with pytest.raises(RunError, match="other settings:\n    questions: "):
        all_of(tmp_path / "killed", Reader(), some[:3])


ROWS: list[Any] = [
    {
        "question": "Who founded Rome?",
        "docs": [{"title": "Rome", "text": "By Romulus."}],
        "answers": [["Remus"]],
    },
    {"question": "Where is Oslo?", "docs": []},
    {"question": "Who?", "docs": "none"},
    {"question": "What else?", "docs": [{"text": "Nothing."}], "id": 5},
]


def run(folder: Path, *options: str, script: str = "'Rome': 'Romulus [1]'\n") -> Result:
    (folder / "lm.yaml").write_text(script)
    model = ["--model", str(folder / "lm.yaml"), "--set", "model.type=scripted"]
    return CliRunner().invoke(app, ["cite", "answer", *model, *options])


def test_the_command_keeps_rows_and_loses_none(tmp_path: Path) -> None:
    source, out = tmp_path / "rows.json", tmp_path / "out.jsonl"
    source.write_text(json.dumps(ROWS))
    done = run(tmp_path, "--questions", str(source), "--out", str(out))
    assert done.exit_code == 0, done.output
    assert "no answer: item 3: field 'docs' must be a list" in done.stderr
    assert "no answer: item 4: no scripted answer" in done.stderr
    assert "2 of 4 questions have an answer" in done.stdout
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert found[0] == {"selfstudy": found[0]["selfstudy"], **ROWS[0], "output": "Romulus [1]"}
    assert (found[1]["output"], found[1]["refused"]) == (REFUSAL, NOTHING_FOUND)
    assert found[2]["docs"] == "none"
    assert "output" not in found[3]
    assert found[3]["id"] == 5
    judged = CliRunner().invoke(app, ["cite", "eval", str(out), "--nli", "atlas", "--json"])
    assert judged.exit_code == 0, judged.output
    assert json.loads(judged.stdout)["failed"] == 2
    assert json.loads(judged.stdout)["items"] == {"qampari": 1, "plain": 1}
    # the block of what failed was not kept: the same command asks again
    again = run(tmp_path, "--questions", str(source), "--out", str(out), script="'.': 'Else [1].'\n")
    assert again.exit_code == 0
    assert "3 of 4 questions have an answer" in again.stdout


def test_where_nothing_has_an_answer_the_command_fails(tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text("Where is Oslo?\n")
    out = tmp_path / "out.jsonl"
    options = ["--questions", str(tmp_path / "q.txt"), "--library", "atlas", "--out", str(out)]
    done = run(tmp_path, *options, script="'no such thing': 'x'\n")
    assert done.exit_code == 2
    assert "all 1 answers broke off: no scripted answer" in done.stderr
    assert json.loads(out.read_text())["error"]


def test_a_question_is_answered_on_the_screen(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/rome.md").write_text("# Rome\n\nRome was founded by Romulus.\n")
    done = run(tmp_path, "Who founded Rome?", "--library", str(tmp_path / "docs"))
    assert done.exit_code == 0, done.output
    assert done.stdout == "Romulus [1]\n\n[1] Rome (rome.md)\n"
    index = tmp_path / "index"
    for _ in range(2):
        options = ["--library", str(tmp_path / "docs"), "--index", str(index)]
        assert run(tmp_path, "Who founded Rome?", *options).exit_code == 0
    assert index.is_dir()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ([], "from one place"),
        (["Who?", "--questions", "q.txt"], "from one place"),
        (["Who?"], "--library DIR"),
        (["Who?", "--library", "atlas", "--out", "x"], "--out is for many"),
        ([" ", "--library", "atlas"], "the question is empty"),
        (["Who?", "--library", "./no"], "nothing at"),
        (["--questions", "no.txt"], "no.txt cannot be read"),
        (["Who?", "--library", "atlas", "--nli", "a", "--judge", "b"], "give one of them"),
        (["Who?", "--library", "atlas", "--check"], "give --nli MODEL or --judge MODEL"),
        (["Who?", "--library", "atlas", "--adapter", "x"], "takes no adapter"),
    ],
)
def test_what_cannot_be_asked_for(options: list[str], why: str, tmp_path: Path) -> None:
    done = run(tmp_path, *options)
    assert done.exit_code == 2
    assert why in done.stderr
    assert "Traceback" not in done.output


def test_a_model_and_an_adapter_are_wanted_where_they_are(tmp_path: Path) -> None:
    cases = [
        (["--model", str(tmp_path / "no")], "no model folder"),
        ([], "give --model MODEL"),
        (["--model", "atlas", "--adapter", str(tmp_path)], "no adapter in"),
    ]
    for options, why in cases:
        done = CliRunner().invoke(app, ["cite", "answer", "Who?", "--library", "atlas", *options])
        assert done.exit_code == 2
        assert why in done.stderr


def test_atlas_answers_while_it_is_listened_to(library: Library) -> None:
    """What it says is as good as it is: that it is the same in a stream, and in a batch, is ours."""
    from selfstudy.models import load_lm
    from selfstudy.recipe import LocalModel

    lm = load_lm(LocalModel(path="atlas"))
    both = Answering(lm, Prompts(), library, 2, Sampling(temperature=0.0, max_new_tokens=30))
    heard: list[str] = []
    question = given_question("Who founded Rome?")
    found = both.stream(question, heard.append)
    assert found == both.answer([question])[0]
    assert found.output
    assert len(heard) > 3
    assert all(found.output.startswith(one[:-1]) for one in heard)


def test_an_adapter_answers_in_its_model(tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    from selfstudy.models import load_lm
    from selfstudy.recipe import LocalModel

    base: Any = load_lm(LocalModel(path="atlas"))
    torch.manual_seed(0)
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(base.model, config).save_pretrained(tmp_path / "a")
    words = ["cite", "answer", "What is the capital of Peru?", "--model", "atlas", "--library", "atlas"]
    words += ["--max-new-tokens", "20"]
    plain, taught = (
        CliRunner().invoke(app, [*words, *more]) for more in ([], ["--adapter", str(tmp_path / "a")])
    )
    assert plain.exit_code == taught.exit_code == 0, taught.output
    assert plain.stdout.splitlines()[0] != taught.stdout.splitlines()[0]


def test_atlas_answers_and_is_checked(tmp_path: Path) -> None:
    words = ["cite", "answer", "What is the capital of Peru?", "--model", "atlas", "--library", "atlas"]
    plain = CliRunner().invoke(app, words)
    assert plain.exit_code == 0, plain.output
    assert "\n\n[1] Peru (atlas:country/Peru)\n" in plain.stdout
    done = CliRunner().invoke(app, [*words, "--check"])
    assert done.exit_code == 0, done.output
    assert "entailment model: atlas" in done.stderr
