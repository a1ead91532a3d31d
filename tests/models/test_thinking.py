"""Thinking aloud is no answer; speaking about thinking is."""

import pytest

from selfstudy.models.thinking import NoAnswerError, closed, opened_by, without_thinking

THOUGHT = "Hmm, the user asks about Mali.\n\nIt could be Bamako, or Ségou."


@pytest.mark.parametrize(
    ("opener", "closer"),
    [
        ("<think>", "</think>"),
        ("<think>\n", "\n</think>\n\n"),
        ("<THINK>", "</THINK>"),
        ("<thinking>", "</thinking>"),
        ("<thought>\n", "\n</thought>\n"),
        ("<reasoning>", "</reasoning>"),
        ("<seed:think>", "</seed:think>"),
        ("[THINK]", "[/THINK]"),
        ("◁think▷", "◁/think▷"),
        ("<|begin_of_thought|>\n", "\n<|end_of_thought|>\n"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ],
)
class TestMarks:
    def test_cuts_up_to_the_closing_mark(self, opener: str, closer: str) -> None:
        assert without_thinking(f"{opener}{THOUGHT}{closer}Bamako.") == "Bamako."
        assert without_thinking(f"\n {opener}{THOUGHT}{closer}\n Bamako. \n") == "Bamako."

    def test_a_prompt_that_opens_it_is_closed_again(self, opener: str, closer: str) -> None:
        prompt = f"Who?\n{opener}"
        assert closed(prompt).startswith(prompt)
        assert closed(prompt).rstrip().endswith(closer.strip())
        assert not opened_by(closed(prompt))
        assert closed("Who?") == "Who?"

    def test_cuts_what_the_template_has_opened(self, opener: str, closer: str) -> None:
        assert without_thinking(f"{THOUGHT}{closer}Bamako.") == "Bamako."
        assert without_thinking(f"bamako i think {closer} it is bamako", opened=True) == "it is bamako"

    def test_thinking_without_an_end_is_no_answer(self, opener: str, closer: str) -> None:
        with pytest.raises(NoAnswerError, match="not finished"):
            without_thinking(f"{opener}{THOUGHT}")
        with pytest.raises(NoAnswerError, match="not finished"):
            without_thinking(THOUGHT, opened=True)

    def test_nothing_after_the_thinking_is_no_answer(self, opener: str, closer: str) -> None:
        with pytest.raises(NoAnswerError, match="nothing follows"):
            without_thinking(f"{opener}{THOUGHT}{closer} \n")

    def test_sees_that_a_prompt_has_opened_it(self, opener: str, closer: str) -> None:
        assert opened_by(f"<user>What is it?<assistant>{opener}\n")
        assert not opened_by(f"<user>What is it?<assistant>{opener}\n\n{closer}\n\n")
        assert not opened_by("<user>What is it?<assistant>")


@pytest.mark.parametrize(
    "text",
    [
        "Bamako.",
        "",
        "  Bamako, I think.\n",
        "The tag <think> opens the reasoning of a model.",
        "DeepSeek writes <think> before and </think> after its reasoning.",
        "It ends with the mark </think> in most models.",
        "It ends with the mark `</think>`.",
        'The tag is called "</think>"; it closes.',
        "Some use </think>, others [/THINK].",
        "Templates look so:\n```\n<think>\nreasoning\n</think>\nanswer\n```\nThat is all.",
        "The list [think] of the [reason] is 3 < 4 > 2.",
        "[Reason] Because the river rises there.",
        "A <thoughtful> remark on </code>.",
    ],
)
def test_what_only_speaks_of_it_is_left_as_it_is(text: str) -> None:
    assert without_thinking(text) == text


def test_quoted_marks_do_not_end_the_thinking() -> None:
    text = "<think>I should write `</think>` first, then the rest.</think>Bamako."
    assert without_thinking(text) == "Bamako."


@pytest.mark.parametrize(
    "text",
    [
        "<think></think><think>again</think>Bamako.",
        "<think>a</think><answer>Bamako.</answer>",
        "<|begin_of_thought|>a<|end_of_thought|>\n<|begin_of_solution|>\nBamako.\n<|end_of_solution|>",
        "thinking.</think>\n\n<answer>\nBamako.",
        "<think>\na\n</think>\n\n<response>Bamako.</response>\n",
        "Okay.\n<think>\nIs it?\n</think>\nBamako.".replace("Okay.\n", "\n"),
    ],
)
def test_several_blocks_and_marked_answers(text: str) -> None:
    assert without_thinking(text) == "Bamako."


def test_thinking_in_the_middle_goes_too() -> None:
    assert without_thinking("Wait.\n<think>\nIs it?\n</think>\nBamako.") == "Wait.\n\nBamako."
    with pytest.raises(NoAnswerError):
        without_thinking("Wait.\n<think>\nIs it?")


@pytest.mark.parametrize(
    "words",
    [
        "<|thinking|>Hm.<|/thinking|>Rome",
        "Thinking...\nHm.\n...done thinking.\n\nRome",
        "<think>One <think>two</think> three</think>Rome",
        "<think >Hm.</think >Rome",
        '<think id="1">Hm.</think>Rome',
        "<think:61c>Hm.</think:61c>Rome",
        "<internal_monologue>Hm.</internal_monologue>Rome",
    ],
)
def test_other_marks(words: str) -> None:
    assert without_thinking(words) == "Rome"
