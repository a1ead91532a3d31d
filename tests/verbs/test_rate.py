"""`selfstudy rate`: answers in, pairs out; figures by hand; a kill loses nothing; errors on one screen."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import selfstudy
from selfstudy.judging import missing
from selfstudy.judging.missing_reward import asked_of
from selfstudy.judging.rewards import Response, Reward
from selfstudy.models.server.servers import Servers
from selfstudy.progress import Silent
from selfstudy.recipe import RemoteModel
from selfstudy.recipe.file import make_recipe
from selfstudy.verbs.rate import PromptedJudges, RateOptions, rate
from selfstudy.verbs.rating.given import read_given
from selfstudy.verbs.rating.judge_identity import identity

from ..judging.judges import CountingLM
from ..stories.small import cli, refusal

SCRIPT = {
    "Response: Tolm lies by the Ferro.*say what it lacks": "Good. [[9]] [[[]]]",
    "Response: Tolm lies by the sea.*say what it lacks": "Wrong. [[3]] [[[The Ferro.]]]",
    "Response: Tolm.*say what it lacks": "Short. [[5]] [[[The Ferro.]]]",
    "Response: (Barl|Nordo) is old.*say what it lacks": "Fair. [[6]] [[[Its age.]]]",
    "Response: Hm.*say what it lacks": "I cannot tell.",
    "Response: .*say what it lacks": "Nothing useful. [[1]] [[[All of it.]]]",
    "Response: Tolm lies by the Ferro.*JSON list": '[{"name": 1, "verdict": "yes"}]',
    "JSON list": '[{"name": 1, "verdict": "no"}]',
    "First response: Tolm lies by the Ferro": "first",
    "Second response: Tolm lies by the Ferro": "second",
    "First response": "first",
}
ROWS: list[dict[str, Any]] = [
    {
        "prompt": "Where is Tolm?",
        "completions": ["Tolm lies by the Ferro.", "Tolm lies by the sea.", "Tolm."],
        "correct": [True, False, False],
        "gold": "It lies by the Ferro.",
    },
    {"prompt": "Which town is old?", "completion": "Barl is old.", "correct": False},
    {"prompt": "Which town is old?", "completion": "Nordo is old.", "correct": True},
    {"prompt": "Why?", "chosen": "Hm.", "rejected": "Because."},
    {"prompt": "Same?", "completions": ["Yes.", "Yes."]},
    {"prompt": "Who?"},
]


def script(path: Path, answers: dict[str, str]) -> None:
    path.write_text(yaml.safe_dump(answers, sort_keys=False))  # the first pattern that fits answers


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    script(tmp_path / "judge.yaml", SCRIPT)
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return tmp_path


JUDGE = ("--set", "judge={type: scripted, path: judge.yaml}")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def figures(*arguments: str) -> dict[str, Any]:
    code, said, err = cli("rate", "a.jsonl", "--json", *arguments)
    assert code == 0, err
    found: dict[str, Any] = json.loads(said)
    return found


def test_answers_become_pairs(here: Path) -> None:
    code, said, err = cli("rate", "a.jsonl", *JUDGE, "--reward", "rating")
    assert code == 0, err
    (pair,) = rows(here / "a.pairs.jsonl")
    assert pair["prompt"] == [{"role": "user", "content": "Where is Tolm?"}]
    assert pair["chosen"][0]["content"] == "Tolm lies by the Ferro."
    assert pair["rejected"][0]["content"] == "Tolm lies by the sea."
    assert pair["selfstudy"] == {
        "reward": "rating",
        "chosen": 0.8,
        "rejected": -0.4,
        "why_chosen": "nothing is missing",
        "why_rejected": "The Ferro.",
    }
    assert "4 prompts, 8 answers, and 1 that repeat another" in said
    assert "unscored mostly for: no rating in [[ ]]" in said
    for line in ("dropped: tie", "dropped: unscored", "dropped: identical"):
        assert f"{line} 1" in " ".join(said.split()).replace("identical  1", "identical 1")
    assert "line 6: there is no 'completions'" in err
    assert "1 failed" in err
    assert "1 pairs by rating" in err


def test_every_reward_keeps_its_sentence(here: Path) -> None:
    cli("rate", "a.jsonl", *JUDGE, "--reward", "rating")
    kept = {row.get("completion"): row for row in rows(here / "a.pairs.jsonl.judged.jsonl")}
    assert kept["Tolm."]["selfstudy"] == {"rating": {"value": 0.0, "why": "The Ferro."}}
    assert kept["Hm."]["selfstudy"] == {"rating": {"problem": "no rating in [[ ]]"}}
    assert kept[None]["place"] == "line 6"


def test_figures_by_hand(here: Path) -> None:
    found = figures(*JUDGE, "--reward", "rating")["rewards"]["rating"]
    assert (found["answers"], found["scored"]) == (8, 7)
    assert (found["compared"], found["tied"]) == (4, 1)
    # right: .8 .2; wrong: -.4 0 .2 and "Because." -.8 (rejected by the file); "Hm." is unscored
    assert found["auroc"] == pytest.approx((4 + 3 + 0.5) / 8)
    assert (found["ordered"], found["orders"]) == (pytest.approx((1 + 1 + 0.5) / 3), 3)
    assert found["dropped"] == {"tie": 1, "unscored": 1, "identical": 1}
    assert found["calls"] == 8  # for one pair


def test_intervals_are_named(here: Path) -> None:
    row = {"prompt": "Q?", "completions": [f"{n}." for n in range(12)], "correct": [True, False] * 6}
    (here / "a.jsonl").write_text(json.dumps(row))
    found = figures("--reward", "random")["rewards"]["random"]
    assert list(found["auroc_bounds"]) == ["value", "low", "high"]
    assert found["auroc_bounds"]["value"] == found["auroc"]


def test_rewards_side_by_side_share_their_judgements(here: Path) -> None:
    found = figures(*JUDGE, "--compare")["rewards"]
    assert list(found) == ["missing", "rating", "rubric", "random"]
    assert (found["rating"]["pairs"], found["missing"]["pairs"]) == (1, 2)  # fewer ties, as the paper says
    assert (found["rating"]["tied"], found["missing"]["tied"]) == (1, 0)
    assert (found["rating"]["calls"], found["missing"]["calls"]) == (8, 4)
    assert found["rating"]["tokens"] == 2 * found["missing"]["tokens"] > 100
    assert (found["rubric"]["scored"], found["rubric"]["pairs"]) == (3, 1)
    assert found["rubric"]["problem"] == "no rubric: nothing says what the answer is held to"
    assert (found["random"]["scored"], found["random"]["pairs"], found["random"]["calls"]) == (8, 3, 0)
    assert found["random"]["tied"] == 0


def test_random_needs_no_judge_and_follows_its_seed(here: Path) -> None:
    assert cli("rate", "a.jsonl", "--reward", "random", "--out", "one.jsonl")[0] == 0
    assert cli("rate", "a.jsonl", "--reward", "random", "--out", "two.jsonl")[0] == 0
    assert cli("rate", "a.jsonl", "--reward", "random", "--seed", "3", "--out", "three.jsonl")[0] == 0
    one, two, three = ((here / f"{name}.jsonl").read_bytes() for name in ("one", "two", "three"))
    assert one == two != three


def test_zeta_and_margin(here: Path) -> None:
    pure = figures(*JUDGE, "--zeta", "1")["rewards"]["missing"]
    assert pure["mean"] != figures(*JUDGE, "--zeta", "0")["rewards"]["missing"]["mean"]
    said = refusal(cli("rate", "a.jsonl", *JUDGE, "--reward", "rating", "--margin", "1.2"))
    assert "no pair came of 4 prompts: 1 identical, 1 unscored, 1 tie, 1 within the margin" in said
    assert cli("rate", "a.jsonl", *JUDGE, "--reward", "rating", "--margin", "1.19")[0] == 0


@pytest.mark.parametrize("layout", ["trl", "llama-factory", "axolotl"])
def test_every_layout_can_be_imported(layout: str, here: Path) -> None:
    assert cli("rate", "a.jsonl", *JUDGE, "--reward", "rating", "--format", layout)[0] == 0
    code, said, err = cli("import", "a.pairs.jsonl", "--run", "run")
    assert code == 0, err
    assert "preferences: 1 given, 1 imported" in said


def test_the_audit_prints_what_to_think_of_the_judge(here: Path) -> None:
    code, said, err = cli("rate", "a.jsonl", *JUDGE, "--reward", "rating", "--audit")
    assert code == 0, err
    assert "rating: a refusal earns -0.80 (answers: " in said
    assert "both orders: 1 pairs (0 not read), consistent 1.00, bias for the first place +0.00" in said
    assert "the chosen answer wins 1.00" in said
    assert "warning" not in said


def test_a_yes_sayer_is_warned_of(here: Path) -> None:
    script(here / "yes.yaml", {"Response: Tolm lies by the sea": "[[9]] [[[]]]", ".": "[[10]] [[[]]]"})
    yes = ("--set", "judge={type: scripted, path: yes.yaml}")
    code, said, _ = cli("rate", "a.jsonl", *yes, "--reward", "rating", "--audit")
    assert code == 0
    assert "warning: rating: a refusal is paid no less than the median answer" in said
    assert "both orders: no pair was judged in both" in said
    script(here / "same.yaml", {".": "[[10]] [[[]]]"})
    code, said, err = cli("rate", "a.jsonl", "--set", "judge={type: scripted, path: same.yaml}")
    assert code == 2
    assert "warning: missing: every answer earned the same" in said
    assert "no pair came of" in err


def test_a_person_judges(here: Path) -> None:
    code, said, err = cli("rate", "a.jsonl", "--export", "sheet.csv", "--reward", "rating")
    assert code == 0, err
    assert "wrote sheet.csv: 8 answers to judge" in said
    assert "selfstudy rate a.jsonl --reward rating --import sheet.csv" in said
    with (here / "sheet.csv").open(newline="") as file:
        sheet = list(csv.DictReader(file))
    for row in sheet:
        row |= {"rating": "8" if "Ferro" in row["completion"] else "2", "missing": "The river."}
    with (here / "sheet.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(sheet[0]))
        writer.writeheader()
        writer.writerows(sheet)
    code, said, err = cli("rate", "a.jsonl", "--reward", "rating", "--import", "sheet.csv", "--audit")
    assert code == 0, err
    assert "both orders: no pair was judged in both" in said
    (pair,) = rows(here / "a.pairs.jsonl")
    assert pair["chosen"][0]["content"] == "Tolm lies by the Ferro."
    assert (pair["selfstudy"]["chosen"], pair["selfstudy"]["rejected"]) == (0.6, -0.6)
    assert "may be judged" in refusal(cli("rate", "a.jsonl", "--export", "sheet.csv"))


def test_answers_without_a_rubric_are_counted_where_a_person_needs_one(here: Path) -> None:
    code, said, err = cli("rate", "a.jsonl", "--export", "sheet.csv", "--reward", "rubric")
    assert code == 0, err
    assert "wrote sheet.csv: 3 answers to judge\nleft out: 5 answers without a rubric" in said
    (here / "bare.jsonl").write_text(json.dumps(ROWS[1]))
    said = refusal(cli("rate", "bare.jsonl", "--export", "bare.csv", "--reward", "rubric"))
    assert "no answer has a rubric" in said
    assert not (here / "bare.csv").exists()


def test_a_run_without_a_pair_leaves_none_of_an_earlier_one(here: Path) -> None:
    assert cli("rate", "a.jsonl", *JUDGE, "--reward", "rating")[0] == 0
    refusal(cli("rate", "a.jsonl", *JUDGE, "--reward", "rating", "--margin", "1.9"))
    assert not (here / "a.pairs.jsonl").exists()
    assert (here / "a.pairs.jsonl.judged.jsonl").exists()


def test_other_weights_in_the_same_folder_are_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = CountingLM({".": "[[7]] [[[]]]"})
    monkeypatch.setattr("selfstudy.models.load_lm", lambda *_, **__: lm)
    folder = tmp_path / "judge"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    asked = asked_of(Response("Who?", "Tolm."))

    def judge(*settings: str) -> int:
        recipe = make_recipe({}, [f"judge.path={folder}", *settings])
        source = PromptedJudges(recipe, tmp_path / "c.sqlite", Servers(1, print))
        source.judge().judgements([asked], [missing.read])
        source.close()
        return len(lm.batches)

    (folder / "model.safetensors").write_bytes(b"one")
    assert [judge(), judge(), judge("judge.token_budget=9")] == [1, 1, 1]
    (folder / "model.safetensors").write_bytes(b"trained")
    assert [judge(), judge(), judge("judge.dtype=float32")] == [2, 2, 3]
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    assert judge(f"judge.adapter={adapter}") == 4
    (adapter / "adapter_model.safetensors").write_bytes(b"one")
    assert judge(f"judge.adapter={adapter}") == 5


def test_judges_behind_other_urls_are_not_the_same() -> None:
    here_, there = (RemoteModel(model="m", base_url=f"http://localhost:{port}/v1") for port in (1, 2))
    assert identity(here_) != identity(there)
    assert identity(here_) == identity(here_.model_copy(update={"concurrency": 2}))


def test_prompts_of_ones_own(here: Path) -> None:
    folder = here / "prompts"
    folder.mkdir()
    (folder / "missing.txt").write_text("Of medicine.\nPrompt: $prompt\nResponse: $response\nAssess.")
    script(
        here / "judge.yaml",
        {"Of medicine.*Response: Tolm lies by the F": "[[9]] [[[]]]", "Of medicine": "[[2]] [[[x]]]"},
    )
    found = figures(*JUDGE, "--prompts", str(folder), "--reward", "rating")
    assert found["rewards"]["rating"]["scored"] == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.jsonl",), "none.jsonl cannot be read"),
        (("empty.jsonl",), "empty.jsonl holds no rows"),
        (("bad.jsonl",), "bad.jsonl: none of 2 rows can be read; line 1: "),
        (("a.jsonl", "--reward", "vibes"), "no reward named 'vibes'"),
        (("a.jsonl", "--judge", "/nowhere/model"), "/nowhere/model"),
        (("a.jsonl", "--out", "a.jsonl"), "is the input itself"),
        (("a.jsonl", "--out", "judge.yaml"), "judge.yaml is no output of selfstudy rate"),
        (("a.jsonl", "--cache", "judge.yaml"), "judge.yaml is no cache of judgements"),
        (("a.jsonl", "--import", "none.csv"), "none.csv cannot be read"),
        (("a.jsonl", "--import", "a.jsonl"), "a.jsonl: nothing in it is judged"),
        (("a.jsonl", "--prompts", "none"), "prompts: no folder"),
        (
            ("a.jsonl", "--import", "a.jsonl", "--criteria-per-call", "1"),
            "--criteria-per-call is for",
        ),
        (
            ("a.jsonl", "--set", "judge={type: remote, model: m, base_url: 'http://far/v1'}"),
            "plain http",
        ),
        (("a.jsonl", "--reward", "random", "--export", "x.csv"), "nobody judges for the reward random"),
        (("mute.jsonl",), "none of 2 answers got a reward (missing): no rating in [[ ]]"),
    ],
)
def test_errors_are_one_screen(arguments: tuple[str, ...], message: str, here: Path) -> None:
    (here / "empty.jsonl").write_text("\n")
    (here / "bad.jsonl").write_text('{\n{"prompt": "Who?"}\n')
    (here / "mute.jsonl").write_text(json.dumps({"prompt": "Who?", "completions": ["Hm.", "Hm. Hm."]}))
    before = (here / "judge.yaml").read_text()
    judge = () if {"--judge", "--set"} & set(arguments) else JUDGE
    assert message in refusal(cli("rate", *arguments, *judge))
    assert (here / "judge.yaml").read_text() == before
    assert not (here / "a.pairs.jsonl").exists()


def test_a_judge_must_be_chosen(here: Path) -> None:
    said = refusal(cli("rate", "a.jsonl"))
    assert "none was chosen" in said
    assert "--judge MODEL, or --export FILE" in said


def test_a_local_model_judges(tiny_llama: Path, here: Path) -> None:
    said = refusal(cli("rate", "a.jsonl", "--judge", tiny_llama, "--reward", "rating"))
    assert "none of 8 answers got a reward" in said  # random weights write no rating
    assert len(rows(here / "a.pairs.jsonl.judged.jsonl")) == 9  # and yet nothing is lost


MANY = [{"prompt": f"Town {n}?", "completions": [f"Good {n}.", f"Bad {n}."]} for n in range(12)]
KILLED = """
import os, sys
from selfstudy import ScriptedLM
from selfstudy.cli import app
from selfstudy.models import load

class Judge(ScriptedLM):
    def generate(self, chats, sampling, progress=None):
        with open("asked", "a") as file:
            file.writelines(f"{chat[-1].content!r}\\n" for chat in chats)
        if os.environ.get("DIES") and sum(1 for _ in open("asked")) > 10:
            os.kill(os.getpid(), 9)
        return super().generate(chats, sampling, progress)

load.load_lm = lambda *_, **__: Judge({"Response: Good": "[[8]] [[[x]]]", ".": "[[3]] [[[y]]]"})
import selfstudy.models
selfstudy.models.load_lm = load.load_lm
sys.argv = ["selfstudy", "rate", *sys.argv[1:]]
app()
"""


def test_a_killed_run_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "many.jsonl").write_text("".join(json.dumps(row) + "\n" for row in MANY))
    options = ("many.jsonl", "--judge", "x", "--reward", "rating", "--set", "answering.block_size=4")

    def run(folder: str, **environment: str) -> int:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        (place / "many.jsonl").write_bytes((tmp_path / "many.jsonl").read_bytes())
        return subprocess.run(
            [sys.executable, "-c", KILLED, *options],
            cwd=place,
            env={**os.environ, "PYTHONPATH": str(Path(selfstudy.__file__).parents[1]), **environment},
            capture_output=True,
            timeout=120,
        ).returncode

    assert run("killed", DIES="1") == -9
    asked = tmp_path / "killed" / "asked"
    before = asked.read_text().splitlines()
    assert len(before) == 12
    assert not (tmp_path / "killed" / "many.pairs.jsonl").exists()  # nothing half written
    assert run("killed") == 0
    assert run("whole") == 0
    after = asked.read_text().splitlines()[len(before) :]
    kept = before[:8]  # the batch that died was never answered
    assert not set(after) & set(kept)
    assert len(set(before) | set(after)) == len(after) + len(kept) == 24
    for name in ("many.pairs.jsonl", "many.pairs.jsonl.judged.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_another_margin_asks_nobody(here: Path) -> None:
    assert cli("rate", "a.jsonl", *JUDGE, "--reward", "rating")[0] == 0
    script(here / "judge.yaml", {"nothing like it": "x"})
    found = figures(*JUDGE, "--reward", "rating", "--margin", "0.5")["rewards"]["rating"]
    assert found["scored"] == 7  # all that could be read had been kept


def test_rewards_of_a_prompt_stay_with_it_whatever_the_block(here: Path) -> None:
    class Source:
        embedder: Any = None

        def judge(self) -> Any:
            from selfstudy import ScriptedLM
            from selfstudy.judging.judge import PromptedJudge
            from selfstudy.prompts import Prompts

            return PromptedJudge(ScriptedLM(SCRIPT), Prompts())

    given = read_given(here / "a.jsonl")
    found = [
        rate(given, RateOptions(rewards=("rating",), block=size), Source(), Silent())[0].rewards
        for size in (1, 3, 100)
    ]
    assert found[0] == found[1] == found[2]
    assert [len(some) for some in found[0]] == [3, 2, 2, 1]
    assert found[0][2][0] == Reward(None, problem="no rating in [[ ]]")
