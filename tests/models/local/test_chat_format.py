"""What templates do is read off them: where a turn ends, whether the system is heard, whether they think."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from selfstudy.errors import ModelError
from selfstudy.models.base import Sampling, chat
from selfstudy.models.local.chat_format import ChatFormat
from selfstudy.models.local.completions import AnswerReader
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.thinking import NoAnswerError
from selfstudy.recipe import LocalModel
from selfstudy.records import Message
from selfstudy.teach.trainers.shared import Tokens
from tests.conftest import make_tokenizer

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PHI = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|stop|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start|>{{ m.role }}<|head|>\n\n{{ m.content | trim }}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant<|head|>\n\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% elif m.role == 'assistant' %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}"
)
HASHES = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n###\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
BRACKETS = (
    "{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content }}[/SAID]{{ eos_token }}"
    "{% else %}[ASK]{{ m.content }}[/ASK]{% endif %}{% endfor %}"
)
HEADERS = (
    "{% for m in messages %}### {{ m.role | capitalize }}:\n{{ m.content }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}### Assistant:\n{% endif %}"
)
EOS_AT_THE_END = HEADERS.replace(
    "{% if add", "{% if not add_generation_prompt %}{{ eos_token }}{% endif %}{% if add"
)
NEXT_TURN = (  # nothing ends a turn but the token that opens the next one
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
TWO_ENDS = (  # a turn inside of a chat ends otherwise than the last one
    "{% for m in messages %}<|start|>{{ m.role }}<|head|>{{ m.content }}"
    "{{ '<|return|>' if loop.last and m.role == 'assistant' else '<|stop|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant<|head|>{% endif %}"
)
QUOTED = (
    '{% for m in messages %}{{ m.role }} says "{{ m.content }}"\n{% endfor %}'
    '{% if add_generation_prompt %}assistant says "{% endif %}'
)
NO_SYSTEM = (
    "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}] {{ m.content }}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)
OWN_SYSTEM = (  # writes a system prompt of its own where none is given, strips and shouts
    "{% if messages[0].role != 'system' %}<|system|>You are helpful.<|stop|>\n{% endif %}"
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content | trim | upper }}<|stop|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
THINKS = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</think>')[-1] }}"
    "{% if m.role == 'assistant' %}<|stop|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}"
)
SWITCHES = THINKS.replace(
    "<think>\n", "<think>\n{% if enable_thinking is false %}{{ '\n</think>\n\n' }}{% endif %}"
)
WORDS = (
    "<|im_start|>",
    "<|im_end|>",
    "<|stop|>",
    "<|return|>",
    "<|bos|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<|start|>",
    "<|head|>",
    "<|eot_id|>",
)


def tokenizer(template: str | None, marks: tuple[str, ...] = ()) -> Any:
    """With special tokens of every kind; its own eos is none that a template of ours writes, but by name."""
    fast = make_tokenizer(template)
    fast.add_special_tokens({"additional_special_tokens": [*WORDS, *marks], "bos_token": "<|bos|>"})
    return fast


@pytest.mark.parametrize(
    ("template", "written", "stops"),
    [
        (CHATML, "<|im_end|>", "<|im_end|>"),
        (PHI, "<|stop|>", "<|stop|>"),
        (GEMMA, "<end_of_turn>", "<end_of_turn>"),
        (LLAMA3, "<|eot_id|>", "<|eot_id|>"),
        (MISTRAL, " <|end|>", "<|end|>"),
        (TWO_ENDS, "<|return|>", "<|return|>"),
        (OWN_SYSTEM, "<|stop|>", "<|stop|>"),
        (HASHES, "\n###", None),
        (BRACKETS, "[/SAID]<|end|>", "<|end|>"),
        (QUOTED, '"\n', None),
        (HEADERS, "<|end|>", "<|end|>"),
        (EOS_AT_THE_END, "\n\n<|end|>", "<|end|>"),
        (NEXT_TURN, "<|end|>", "<|user|>"),
        (None, "\n\n", "<|end|>"),
        ("{{ raise_exception('never') }}", "<|end|>", "<|end|>"),
        ("{{ messages[0].content }}", "<|end|>", "<|end|>"),
    ],
)
def test_a_turn_ends_as_the_template_ends_it(template: str | None, written: str, stops: str | None) -> None:
    fast = tokenizer(template)
    said = ChatFormat(fast)
    (ids,) = said.encode_turns(["Paris."])
    assert fast.decode(ids) == "Paris." + written
    assert fast.eos_token_id in said.ends
    if stops is not None:
        assert fast.convert_tokens_to_ids(stops) in said.ends
        assert len(said.ends) == len({fast.eos_token_id, fast.convert_tokens_to_ids(stops)})


@pytest.mark.parametrize(
    ("template", "stop"),
    [
        (CHATML, ()),
        (HASHES, ("\n###",)),
        (BRACKETS, ("[/SAID]",)),
        (QUOTED, ('"\n',)),
        (HEADERS, ("\n### User:",)),
        (NEXT_TURN, ()),
        (NO_SYSTEM, ("\n[user]",)),
        (None, ("\n\n",)),
    ],
)
def test_texts_end_a_turn_where_no_token_does(template: str | None, stop: tuple[str, ...]) -> None:
    assert ChatFormat(tokenizer(template)).stop(chat("Who?")) == stop


def test_a_mark_that_is_no_token_of_the_tokenizer_is_text() -> None:
    fast = make_tokenizer(CHATML)
    said = ChatFormat(fast)
    assert said.stop(chat("Who?")) == ("<|im_end|>",)
    assert fast.decode(said.encode_turns(["Paris."])[0]) == "Paris.<|im_end|>"


def test_without_any_end_what_comes_next_is_what_is_taught() -> None:
    for template, end in ((None, "\n\n"), (HEADERS, "\n### User:")):
        fast = make_tokenizer(template)
        fast.eos_token = None
        assert fast.decode(ChatFormat(fast).encode_turns([" Paris."])[0]) == " Paris." + end


@pytest.mark.parametrize("template", [NO_SYSTEM, GEMMA, MISTRAL])
def test_a_template_that_does_not_hear_the_system_gets_it_in_the_first_turn(template: str) -> None:
    said = ChatFormat(tokenizer(template))
    text = said.render(chat("Who?", "Answer briefly."))
    assert "Answer briefly.\n\nWho?" in text
    turns = (
        *chat("Who?", "Answer briefly."),
        Message(role="assistant", content="Paris."),
        Message(role="user", content="And then?"),
    )
    assert said.render(turns).count("Answer briefly.") == 1
    assert said.render(chat("Who?")) == text.replace("Answer briefly.\n\n", "")


@pytest.mark.parametrize("template", [CHATML, OWN_SYSTEM, LLAMA3])
def test_a_template_that_hears_the_system_is_left_alone(template: str) -> None:
    text = ChatFormat(tokenizer(template)).render(chat("Who?", " Answer briefly. "))
    assert text.lower().count("answer briefly.") == 1
    assert "system" in text
    assert "helpful" not in text


def appending(template: str | None) -> Any:
    fast = tokenizer(template)
    ids = [(word, fast.convert_tokens_to_ids(word)) for word in ("<|bos|>", "<|end|>")]
    fast.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|bos|> $A <|end|>", pair="<|bos|> $A <|end|> $B <|end|>", special_tokens=ids
    )
    return fast


@pytest.mark.parametrize("template", [None, LLAMA3, CHATML])
def test_a_tokenizer_that_appends_eos_gives_prompts_of_one_bos_and_no_eos(template: str | None) -> None:
    fast = appending(template)
    assert fast("a")["input_ids"][-1] == fast.eos_token_id
    said = ChatFormat(fast)
    (ids,) = said.encode([said.render(chat("Who?", "Be brief."))])
    assert fast.eos_token_id not in ids
    assert ids.count(fast.bos_token_id) == (0 if template == CHATML else 1)
    if template != CHATML:
        assert ids[0] == fast.bos_token_id
    assert fast.bos_token_id not in said.encode_turns([said.answer(chat("Who?"), "Paris.")])[0]


def test_thinking_that_the_prompt_opens_is_cut_off_and_closed_before_what_is_taught() -> None:
    said = ChatFormat(tokenizer(THINKS))
    assert said.render(chat("Who?")).endswith("<|assistant|><think>\n")
    closed = said.render_closed(chat("Who?"))
    assert closed.endswith("<|assistant|><think>\n\n</think>\n\n")
    assert said.answer(chat("Who?"), " Paris. ") == "Paris."

    def written(text: str) -> str:
        return said.read(tokenizer(THINKS)(text, add_special_tokens=False)["input_ids"])

    assert written("Hm, France.\n</think>\n\nParis.") == "Paris."
    with pytest.raises(NoAnswerError):
        written("Hm, France. Or is it")


def test_a_template_that_can_do_without_thinking_does() -> None:
    said = ChatFormat(tokenizer(SWITCHES))
    assert said.render(chat("Who?")).endswith("<think>\n\n</think>\n\n")
    assert said.render_closed(chat("Who?")) == said.render(chat("Who?"))


@pytest.mark.parametrize("marks", [(), ("<think>", "</think>"), ("[THINK]", "[/THINK]")])
def test_thinking_that_the_model_begins_itself_is_cut_off(marks: tuple[str, ...]) -> None:
    """Also where its marks are special tokens, which decoding leaves out."""
    fast = tokenizer(CHATML, marks)
    said = ChatFormat(fast)
    opening, closing = marks or ("<think>", "</think>")
    ids = fast(f"{opening}Hm.{closing}Paris.<|im_end|>", add_special_tokens=False)["input_ids"]
    assert said.read(ids) == "Paris."
    assert said.read(fast("Paris.<|im_end|>", add_special_tokens=False)["input_ids"]) == "Paris."


@pytest.fixture(scope="module")
def small(model_folder: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Puts a tokenizer beside the weights of a random model that has as many embeddings as `rows`."""

    def make(fast: Any, rows: int | None = None) -> LocalLM:
        import torch
        from transformers import AutoModelForCausalLM

        folder = Path(shutil.copytree(model_folder("llama"), tmp_path_factory.mktemp("m") / "lm"))
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_pretrained(folder)
        model.resize_token_embeddings(len(fast) if rows is None else rows)
        model.save_pretrained(folder)
        fast.save_pretrained(folder)
        return LocalLM(LocalModel(path=str(folder), device="cpu"))

    return make


@pytest.mark.parametrize("template", [CHATML, PHI, HASHES, QUOTED, THINKS, None])
def test_a_model_taught_a_template_stops_where_it_does(template: str | None, small: Any) -> None:
    """Trained on what training teaches, over and over: it says exactly that, and stops."""
    import torch

    lm = small(tokenizer(template))
    asked = chat("Who?", "Be brief.")
    tokens = Tokens(lm)
    (prompt,), (answer,) = tokens.prompts([asked]), tokens.answers([asked], ["Paris is it.\nYes."])
    if template == THINKS:  # it is asked in thinking, and has learned to end that
        (prompt,) = lm._format.encode([lm.render(asked)])
        (answer,) = lm._format.encode_turns(["Hm.\n</think>\n\nParis is it.\nYes."])
    ids = torch.tensor([prompt + answer])
    labels = torch.tensor([[-100] * len(prompt) + answer])
    optimizer = torch.optim.AdamW(lm.model.parameters(), lr=1e-2)
    for _ in range(40):
        lm.model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    ((found,),) = lm.generate([asked], Sampling(n=0, greedy_first=True, max_new_tokens=60))
    assert (found.text, found.finish) == ("Paris is it.\nYes.", "stop")
    assert found.tokens == len(answer)
    if template == THINKS:
        ((cut,),) = lm.generate([asked], Sampling(n=0, greedy_first=True, max_new_tokens=2))
        assert (cut.text, cut.finish) == ("", "error")
        assert "thinking" in (cut.error or "")


def test_stops_count_in_the_answer_not_in_the_thinking(small: Any) -> None:
    lm = small(tokenizer(THINKS))
    ids = lm.tokenizer("One. Two. Three.</think>Paris. Or", add_special_tokens=False)["input_ids"]
    stopped = AnswerReader(lm._format, (".",)).stopped
    assert stopped is not None
    hits = [lm.tokenizer.decode(ids[:n]) for n in range(1, len(ids) + 1) if stopped(ids[:n])]
    assert hits[0] == "One. Two. Three.</think>Paris."


def test_tokens_without_an_embedding_are_errors_of_their_item(small: Any) -> None:
    fast = tokenizer(CHATML)
    fast.add_tokens(["Zyx"])
    lm = small(fast, rows=fast.convert_tokens_to_ids("Zyx"))
    found = lm.generate([chat("Who?"), chat("Who Zyx?")], Sampling(n=1, temperature=0.0, max_new_tokens=3))
    assert [row[0].finish == "error" for row in found] == [False, True]
    assert "no embedding" in (found[1][0].error or "")
    scores = lm.logprobs([chat("Who?")] * 2, ["Paris.", "Zyx"])
    assert scores[0]
    assert scores[1] == []


def test_an_end_that_the_model_cannot_write_is_not_taught(small: Any) -> None:
    fast = tokenizer(LLAMA3.replace("<|start|>", "[").replace("<|head|>", "]").replace("{{ bos_token }}", ""))
    lm = small(fast, rows=fast.convert_tokens_to_ids("<|eot_id|>"))
    assert Tokens(lm).answers([chat("Who?")], ["Paris."])[0][-1] == fast.eos_token_id


def test_templates_of_folders_are_read_too(tiny_llama: Path) -> None:
    fast = AutoTokenizer.from_pretrained(tiny_llama)
    assert fast.decode(ChatFormat(fast).encode_turns(["Paris."])[0]) == "Paris.<|end|>"


def test_templates_that_want_parts_of_content_and_those_that_drop_the_user() -> None:
    parts = (
        "{% for m in messages %}<|{{ m.role }}|>{% for part in m.content %}{{ part.text }}{% endfor %}<|e|>"
        "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    asked = chat("Who built it?", system="Be brief.")
    assert ChatFormat(make_tokenizer(parts)).render(asked) == (
        "<|system|>Be brief.<|e|><|user|>Who built it?<|e|><|assistant|>"
    )
    with pytest.raises(ModelError, match="leaves out what the user says"):
        ChatFormat(make_tokenizer("{% for m in messages %}<|{{ m.role }}|>{{ m.words }}{% endfor %}"))


SAID = "Rome is 2,700 years old [1]. Café naïve 🏛️ 東京は大きい [2][3]. e\u0301nd"


def cut_by(kind: str) -> Any:
    """A tokenizer of each kind there is, without an end of its own."""
    if kind == "bytes":
        return make_tokenizer(CHATML)
    if kind == "words":  # WordPiece, which knows letters and pieces behind others
        letters = sorted(set(SAID) - {" "})
        pieces = ["[UNK]", "<|im_end|>", *letters, *(f"##{one}" for one in letters), "Rome", "##ears"]
        made = Tokenizer(models.WordPiece({one: at for at, one in enumerate(pieces)}, unk_token="[UNK]"))
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
    else:
        letters = sorted({*SAID.replace(" ", "▁"), "▁Rome", "▁is"} - {"大"})
        made = Tokenizer(
            models.Unigram([("<unk>", 0.0), *((one, -float(len(letters))) for one in letters)], 0)
        )
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
    fast = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>")
    fast.chat_template = CHATML
    return fast


@pytest.mark.parametrize("kind", ["bytes", "words", "unigram"])
def test_tokens_say_which_characters_they_hold(kind: str) -> None:
    """Every character but white space is held, in order; what ends the turn lies behind the answer."""
    fast = cut_by(kind)
    form = ChatFormat(fast)
    (whole, places), (cut, short) = form.located([SAID, SAID], [True, False])
    assert whole == form.encode_turns([SAID])[0]
    assert cut == form.encode_answers([SAID])[0]
    assert short == places[: len(cut)]
    assert all(start >= len(SAID) for start, _ in places[len(cut) :])
    held = {at for start, end in short for at in range(start, end)}
    assert {at for at, one in enumerate(SAID) if not one.isspace()} <= held
    assert [start for start, _ in short] == sorted(start for start, _ in short)
    for mark in ("[1]", "[2]", "[3]"):
        last = SAID.index(mark) + 2
        ends = [at for at, (start, end) in enumerate(short) if start <= last < end]
        assert "]" in fast.convert_ids_to_tokens(cut[ends[-1]])
    assert form.located([], []) == []


def test_a_tokenizer_that_cannot_tell_where_tokens_stand_is_refused() -> None:
    class Slow:
        def __init__(self, fast: Any) -> None:
            self._fast, self.is_fast = fast, False

        def __getattr__(self, name: str) -> Any:
            return getattr(self._fast, name)

        def __call__(self, *texts: Any, **options: Any) -> Any:
            return self._fast(*texts, **options)

    with pytest.raises(ModelError, match="does not say which characters a token holds"):
        ChatFormat(Slow(make_tokenizer())).located(["a"], [True])


def test_tokens_that_were_generated_say_so_too_however_they_cut_the_text() -> None:
    fast = make_tokenizer(CHATML)
    form = ChatFormat(fast)
    ids = [one for letter in SAID for one in form.encode_answers([letter])[0]]
    assert ids != form.encode_answers([SAID])[0]
    places = form.placed(SAID, ids)
    assert places is not None
    assert "".join(SAID[start:end] for start, end in dict.fromkeys(places)) == SAID
    padded = form.placed(f" {SAID}", [*form.encode_answers([SAID])[0], *form.ends[:1]])
    assert padded is not None
    assert padded[0][0] == 1
    assert padded[-1] == (len(SAID) + 1, len(SAID) + 1)
    assert form.placed("Something else.", ids) is None
    assert form.placed("", []) == []
