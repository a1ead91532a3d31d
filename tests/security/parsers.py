"""Every parser of text and files that others wrote, by name, and hostile inputs, for test_growth.py."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from selfstudy import screen, secrets, text
from selfstudy.duplicates import near_duplicates
from selfstudy.errors import SelfstudyError
from selfstudy.files import jsonl
from selfstudy.files.rows import MalformedError, read_rows
from selfstudy.judging.agreement import denied, numbers_kept, same_words
from selfstudy.judging.answer_key import JsonlKey
from selfstudy.judging.choices import chosen
from selfstudy.judging.correctness import Expected, states
from selfstudy.judging.counterfactual import swapped
from selfstudy.judging.labels import read_labels
from selfstudy.judging.refusals import is_refusal
from selfstudy.library.folder import read_documents
from selfstudy.library.words import index_words
from selfstudy.models.families import of_servers
from selfstudy.models.local import adapter_settings, headers, rendering, small_files, untrusted
from selfstudy.models.lora_targets import matching
from selfstudy.models.remote import connections, http, logprobs, permissions, replies
from selfstudy.models.scripted import ScriptedLM
from selfstudy.models.server.running import listed_in
from selfstudy.models.thinking import NoAnswerError, closed, without_thinking
from selfstudy.models.unwrapping import entries
from selfstudy.models.windows import windows
from selfstudy.probe.chunks import Chunk, chunks_of
from selfstudy.probe.external import _plain
from selfstudy.probe.questions import about_document, first_question
from selfstudy.probe.topics import parse_topics
from selfstudy.probe.vocabulary import lines_of, read_vocabulary
from selfstudy.prompts import Prompts
from selfstudy.recipe import Ask, RemoteModel
from selfstudy.recipe.file import load_recipe
from selfstudy.recipe.models import _plain_url
from selfstudy.records import Document, Question
from selfstudy.run.record_files import RecordFiles
from selfstudy.show.questions import excerpt
from selfstudy.teach.wordings import keeps_names, same_answer
from selfstudy.verbs.importing.choices import right_option
from selfstudy.verbs.importing.experiment import read_experiment
from selfstudy.verbs.importing.lessons import read_lesson
from selfstudy.verbs.importing.pickles import read_pickle
from selfstudy.verbs.importing.preferences import preference_records
from selfstudy.verbs.score import _line

OURS = (
    *(SelfstudyError, MalformedError, NoAnswerError, PydanticCustomError),
    *(http.Trouble, replies.Malformed, httpx2.DecodingError),
)
"""What a parser may raise: errors that say what is wrong with the input."""
Parse = Callable[[str, Path], object]
Seed = tuple[str, str, str]


def _file(name: str, read: Callable[[Path], object], form: str = "{}") -> Parse:
    """A parser of files: the text is written to one, as it is or in a form."""

    def parse(given: str, folder: Path) -> object:
        path = folder / name
        path.write_bytes(form.replace("{}", given).encode("utf-8", "surrogatepass"))
        try:
            return read(path)
        finally:
            path.unlink()

    return parse


def _document(name: str, form: str = "{}") -> Parse:
    return _file(name, read_documents, form)


def _json_document(given: str, folder: Path) -> object:
    line = json.dumps({"text": given, "title": given[:50]})
    return _file("page.jsonl", read_documents, line)("", folder)


def _row(make: Callable[[str], dict[str, Any]], read: Callable[[dict[str, Any]], object]) -> Parse:
    return lambda given, _: read(make(given))


def _pure(read: Callable[[str], object]) -> Parse:
    return lambda given, _: read(given)


def _prompted(given: str, folder: Path) -> object:
    return _file("answer.txt", lambda path: Prompts(path.parent).chat("answer", question=given))(
        given, folder
    )


def _pickle(given: str, folder: Path) -> object:
    path = folder / "data.pickle"
    path.write_bytes(given.encode("latin-1", "replace") + b".")
    return read_pickle(path)


def _experiment(given: str) -> object:
    answers = ("prompts_with_hallucination", "prompts_with_no_hallucination")
    parts = given.split(" ", len(given) // 50)  # an entry takes about so many characters
    entries = [
        {
            **{"prompt": one, "topics": [one], "passage": one, "passage_sentences": [one]},
            **{"sentence_scores": [0.5], "samples": [one], "average_score": 0.5},
        }
        for one in parts
    ]
    return read_experiment({"proposed_questions": parts * 2, **dict.fromkeys(answers, entries)})


def _bytes(given: str) -> bytes:
    return given.encode("utf-8", "surrogatepass")


def _reply(read: Callable[[dict[str, Any]], object], make: Callable[[str], dict[str, Any]]) -> Parse:
    """What a server says, from its bytes on."""
    return lambda given, _: read(_client()._parsed(json.dumps(make(given)).encode()))


@cache
def _client() -> http.HTTPClient:
    return http.HTTPClient(RemoteModel(model="m", base_url="http://127.0.0.1:1/v1"), http.Key(""))


def _choice(given: str) -> dict[str, Any]:
    message = {"content": [{"text": part} for part in given.split(" ", 99)]}
    numbers = {"content": [{"logprob": len(part)} for part in given.split(" ", 99)]}
    return {"choices": [{"message": message, "finish_reason": given[:50] or "stop", "logprobs": numbers}]}


def _packed(given: str, _: Path) -> object:
    raw = _bytes(given)
    return connections._unpacked(zlib.compress(raw), "deflate"), connections._unpacked(raw, "gzip")


def _allowed(given: str, _: Path) -> object:
    with permissions.allowed([given, f"KEY={given}"], None):
        return permissions.Destination("https", "a.org", 443).is_meant_by(given)


def _settings(given: str) -> str:
    return json.dumps({"peft_type": "LORA", "target_modules": given, "base_model_name_or_path": given})


def _adapter(given: str, folder: Path) -> object:
    from safetensors.numpy import save_file

    (folder / "adapter").mkdir(exist_ok=True)
    save_file({}, folder / "adapter" / "adapter_model.safetensors")

    def read(path: Path) -> object:
        return adapter_settings.require_safe(path.parent)

    return _file("adapter_config.json", read)(given, folder / "adapter")


def _records(path: Path) -> object:
    return list(RecordFiles(path.parent, path.parent, lambda: False).iter(Question))


ASK = Ask(method="external", count=1000, questions=True)
QUESTION = "What is the capital of Italy?"
PARSERS: dict[str, Parse] = {
    "recipe": _file("recipe.yaml", load_recipe),
    "recipe, a value": _file("recipe.yaml", load_recipe, "library: {}\n"),
    "--set": _pure(lambda given: load_recipe(None, [f"library={given}"])),
    "script": _file("script.yaml", ScriptedLM.from_yaml),
    ".txt": _document("page.txt"),
    ".md": _document("page.md"),
    ".html": _document("page.html", "<title>{}</title><p>{}</p>{}"),
    ".jsonl": _document("page.jsonl"),
    ".jsonl, a text": _json_document,
    ".csv": _document("page.csv", "title,text\n{}"),
    "rows .jsonl": _file("rows.jsonl", lambda path: list(read_rows(path))),
    "rows .json": _file("rows.json", lambda path: list(read_rows(path))),
    "rows .csv": _file("rows.csv", lambda path: list(read_rows(path)), "a,b\n{}"),
    "answer key": _file("key.jsonl", JsonlKey),
    "vocabulary": _file("words.tsv", read_vocabulary),
    "wordnet": _file("data.noun", read_vocabulary),
    "prompt": _prompted,
    "pickle": _pickle,
    "questions": _pure(lambda given: _plain(lines_of(given, "topics.txt"), "topics.txt", ASK)),
    "preference": _row(
        lambda t: {"prompt": t, "chosen": f"\n\nHuman: {t}\n\nAssistant: {t}", "rejected": "b"},
        preference_records,
    ),
    "lesson": _row(lambda t: {"question": t, "answer": t.split(" ")}, read_lesson),
    "choice": _row(lambda t: {"question": t, "options": [t, "b"], "answer": t}, right_option),
    "choice in a text": _row(lambda t: {"question": t, "answer": "A"}, read_lesson),
    "rows .tsv": _file("rows.tsv", lambda path: list(read_rows(path)), "a\tb\n{}"),
    "rows .parquet": _file("rows.parquet", lambda path: list(read_rows(path)), "PAR1{}PAR1"),
    "labels": _file("labels.jsonl", lambda path: read_labels(path, [])),
    "line to score": _pure(lambda given: _line(1, _bytes(given))),
    "text to score": _pure(
        lambda given: _line(1, json.dumps({"question": given, "passage": given, "samples": [given]}).encode())
    ),
    "run file": _file("run.json", lambda path: jsonl.read_object(path, "")),
    "records": _file("questions.jsonl", _records),
    "config.json": _file("config.json", lambda path: small_files.read_json(path)),
    "model folder": _file("config.json", lambda path: untrusted.require_safe(path.parent), '{"a": "{}"}'),
    "safetensors": _file("model.safetensors", lambda path: headers.held_by(path.parent)),
    "adapter": _adapter,
    "adapter, a value": lambda given, folder: _adapter(_settings(given), folder),
    "target_modules": _pure(lambda given: matching(given, ["q_proj", "model.layers.0"], "x")),
    "chat template": _pure(lambda given: rendering.render(given, {"messages": []})),
    "template, a message": _pure(
        lambda given: rendering.render("{{ a.strip().split('x') | join }}", {"a": given})
    ),
    "experiment": _pure(_experiment),
    "thinking": _pure(without_thinking),
    "thinking, opened": _pure(lambda given: without_thinking(given, opened=True)),
    "prompt that opens": _pure(closed),
    "reply, question": _pure(first_question),
    "reply, entries": _pure(lambda given: entries(given, "question")),
    "reply, topics": _pure(parse_topics),
    "reply, body": _pure(lambda given: replies.completions(_client()._parsed(_bytes(given)))),
    "reply, choices": _reply(replies.completions, _choice),
    "reply, packed": _packed,
    "reply, pause": _pure(
        lambda given: http._pause(httpx2.Headers({"retry-after": given.encode("latin-1", "replace")}))
    ),
    "reply, models": _reply(listed_in, lambda given: {"data": [{"id": one} for one in given.split(" ")]}),
    "reply, log-probabilities": _reply(
        logprobs._echoed, lambda given: {"choices": [{"logprobs": {"token_logprobs": [*map(ord, given)]}}]}
    ),
    "judge": _pure(lambda given: chosen(given, ("yes", "no"))),
    "refusal": _pure(is_refusal),
    "correctness": _pure(lambda given: states(given, ["A", "Rome", given[:99]], QUESTION)),
    "correctness, key": _pure(lambda given: states(given + " Rome", [given], given)),
    "agreement": _pure(lambda given: same_words(given, "Rome is A", QUESTION)),
    "agreement, both": _pure(lambda given: (same_words(given, given + " x", ""), denied(given, given, ""))),
    "numbers": _pure(lambda given: numbers_kept(given, given, QUESTION)),
    "rewording": _pure(lambda given: (keeps_names(given, given), same_answer(given, given + " x", QUESTION))),
    "sentences": _pure(text.sentences),
    "last sentence": _pure(text.ends_as_question),
    "words": _pure(text.tokens),
    "chunks": _pure(lambda given: chunks_of(Document(source="a", text=given), 64, text.estimate_tokens)),
    "chunk's question": _pure(lambda given: about_document(given, Chunk("", given, "", given))),
    "windows": _pure(lambda given: windows(given, 64, text.estimate_tokens)),
    "duplicates": _pure(lambda given: near_duplicates([given, given + " x", f"x {given}"])),
    "index words": _pure(index_words),
    "another answer": _pure(lambda given: swapped(["q", given], [Expected((), given)] * 2, [given] * 2)),
    "--allow-key": _allowed,
    "URL": _pure(lambda given: permissions.Destination.of(_plain_url(f"http://{given}"))),
    "marks": _pure(of_servers),
    "secrets": _pure(lambda given: (secrets.hide(given), secrets.without_secrets(given))),
    "terminal": _pure(screen.printable),
    "excerpt": _pure(lambda given: excerpt(given, given)),
}

# fmt: off
UNITS = (
    " ", "A", "A ", "a ", "x", "9", "-", "#", "=", "|", ",", ":", ";", ".", "?", "!", "'", '"', "`",
    "*", "_", "(", ")", "[", "]", "{", "}", "<", ">", "&", "%", "$", "\\", "/", "~", "\n", "\r", "\t",
    "\x00", "\ud800", "\u201c", "\u201d", "\xab", "\u2018", "\u300c", "\u3002", "\u65e5", "\u304b",
    "\u304b ", "\u304b\n", "\u0300\u0316", "\uff9e\u0316", "\u055e", "\xb0", "\u2014", "\u2026", "# ",
    "- ", "* ", "1. ", "1) ", "A) ", "(a) ", "a. ", "**a", "**a** ", "---\n", "+++\n", "```\n",
    "~~~\n", "<a ", "<a>", "<p>", "<b>x", '<a ="', "</", "</p>", "<!--", "<!", "<script>", "<svg>",
    "<title>", "&#9", "<think>", "<think>\n", "<think></think>", "<think>\n</think>x\n", "'</think>' ",
    "</think>", "<a_think", "[[", "- - ", "{a: ", "&a [", "*a, ", "a: &a b\n", "k: v\n", "!!int ",
    "0x", "? ", "<<: ", "'a': ", "\\ud800", '{"a":', '["', '",', '":"', '{"text":"a"}\n', "[1],",
    '"a":1,', '"a\n', 'x"y,"\n', 'x","\n', '""', ',""', "not ", "maybe, ", "Rome, ", "Rome or ",
    "Rome was until ", "until ", "lost ", "$1 ", "-1 ", "1-2 ", "C++ ", "not sure ", "no other ",
    "the ", "The The ", "1,000", ".5", "5 percent ", "\u20ac", "1\u2009000", "St. ", "A.A. ",
    "question: ", "Q: ", "Question 1: ", "print(", 'x="', "\\boxed{", "$a$\n", "here ", "sure, ",
    "title: ", "\n\nHuman: ", "\n\nAssistant: ", "the document ", "I do not ", "(a+)+", "?\t", "?\t\t",
    "--- ", "||", "] [", "(.", "c_codecs\nencode\n", "}", "]a", "(l", "0", "2", "N", "I9", "\x85",
    "q\x01", "h\x01", "U\x01a", "X", "\x85", "r\xff\xff\xff\xff", "\x8b\xff\xff\xff\x7f", "]\x94h\x00a", "}",
    "]q\x01(h\x01h\x01e", "\x80\x04", "\x95\xff\xff\xff\xff\xff\xff\xff\x7f", "\x88", "C\x01a", "G01234567",
)
# fmt: on
"""What is repeated."""
FRAMED = tuple(
    (before, unit, behind)
    for unit in (" ", "\t", "\n", "-", "9", "\u00a0")
    for before, behind in (
        *(("# a", "b"), ("**a", "x"), ('x="a', "b"), ("print", "x"), ("?", ""), ("<think", "x"), ("q", "x")),
        *(("A", "x"), ("title:", "x"), ('["a"', "x"), (",", "x"), ("1.", ""), ("a: ", "b"), ("<a ", ">")),
        *(("{", "“"), ("```a", "x"), ("the", "document"), ("-", "x"), ("not", "Rome"), ("**", "**:")),
    )
)
SEEDS = (*(("", unit, "") for unit in UNITS), *FRAMED)
"""What stands before, what is repeated, what stands behind."""


def hostile(seed: Seed, length: int) -> str:
    """About `length` characters."""
    before, unit, behind = seed
    return before + unit * max(1, length // len(unit)) + behind


ANY_TEXT = st.text(st.characters(), max_size=200)  # lone surrogates too
INPUTS = st.one_of(
    ANY_TEXT,
    st.lists(st.sampled_from(UNITS), max_size=60).map("".join),
    st.lists(
        st.builds(hostile, st.sampled_from(SEEDS), st.integers(1, 6000)) | ANY_TEXT, min_size=1, max_size=3
    ).map("".join),
)
"""Hypothesis's own texts, mixtures of what means something somewhere, and long repetitions."""
