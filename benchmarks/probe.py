"""Questions per second of the probe, side by side with the published way, in one run.

    python benchmarks/probe.py [--model FOLDER] [--nli FOLDER] [--questions 256] [--plain 16]

This pipeline: all questions at once, a greedy passage and K samples each through `LocalLM`, SelfCheck-NLI
through `EntailmentClassifier`.  The published way (Manakul et al. 2023; Ferdinan et al. 2024), written
plainly with transformers: one question at a time, `generate` for the passage, `generate` with
num_return_sequences=K for the samples, one NLI pair per forward pass.  The published way is timed on
`--plain` of the questions; its texts are then scored both ways, which must give the same numbers.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import torch

from selfstudy.judging import selfcheck
from selfstudy.models.base import Sampling
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.nli import EntailmentClassifier
from selfstudy.prompts import Prompts
from selfstudy.recipe import LocalModel, NLIBlock
from selfstudy.records import Chat
from selfstudy.text import sentences


def questions(count: int) -> list[str]:
    """Distinct questions spread over the facts of the embedded world, known and withheld ones."""
    from selfstudy.atlas import language, world

    asked = [language.wordings(fact.attribute, fact.entity)[0] for fact in world.facts()]
    return asked[:: max(1, len(asked) // count)][:count]


def ours(
    lm: LocalLM, nli: EntailmentClassifier, chats: Sequence[Chat], sampling: Sampling
) -> tuple[list[float | None], float, float]:
    """Scores, and the seconds of answering and of scoring."""
    start = time.perf_counter()
    answers = lm.generate(chats, sampling)
    answered = time.perf_counter()
    scored = selfcheck.score_passages(
        [row[0].text for row in answers], [[one.text for one in row[1:]] for row in answers], nli
    )
    values = [selfcheck.passage_score(parts) for parts in scored]
    return values, answered - start, time.perf_counter() - answered


class Published:
    """One question at a time, one pair at a time, nothing clever."""

    def __init__(self, lm: LocalLM, nli: EntailmentClassifier, sampling: Sampling) -> None:
        self.lm, self.nli, self.sampling = lm, nli, sampling
        labels = {str(label).lower()[:6]: i for i, label in nli.model.config.id2label.items()}
        self.columns = [labels["entail"], labels["contra"]]

    def texts(self, chat: Chat) -> list[str]:
        """The greedy passage, then K samples."""
        tokenizer, model = self.lm.tokenizer, self.lm.model
        prompt = self.lm.render(chat)
        special = not tokenizer.chat_template
        inputs = tokenizer(
            prompt, return_tensors="pt", add_special_tokens=special, return_token_type_ids=False
        ).to(model.device)
        shared: dict[str, Any] = {
            "max_new_tokens": self.sampling.max_new_tokens,
            "repetition_penalty": self.sampling.repetition_penalty,
            "pad_token_id": tokenizer.pad_token_id or tokenizer.eos_token_id or 0,
        }
        greedy = model.generate(**inputs, do_sample=False, **shared)
        sampled = model.generate(
            **inputs,
            do_sample=True,
            temperature=self.sampling.temperature,
            top_k=0,
            num_return_sequences=self.sampling.n,
            **shared,
        )
        new = [*greedy[:, inputs["input_ids"].shape[1] :], *sampled[:, inputs["input_ids"].shape[1] :]]
        return [tokenizer.decode(row, skip_special_tokens=True).strip() for row in new]

    def score(self, texts: Sequence[str]) -> float | None:
        """SelfCheck-NLI of the first text against the others."""
        values = []
        for sentence in sentences(texts[0]):
            for sample in texts[1:]:
                pair = self.nli.tokenizer(sentence, sample, return_tensors="pt").to(self.nli.model.device)
                with torch.inference_mode():
                    logits = self.nli.model(**pair).logits[0, self.columns]
                values.append(logits.double().softmax(0)[1].item())
        return sum(values) / len(values) if values else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="atlas")
    parser.add_argument("--nli", default="atlas")
    parser.add_argument("--questions", type=int, default=256)
    parser.add_argument("--plain", type=int, default=16, help="questions for the published way")
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--max-new-tokens", type=int, default=48)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--token-budget", type=int, default=16_384)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    lm = LocalLM(
        LocalModel(
            path=options.model, dtype=options.dtype, device=options.device, token_budget=options.token_budget
        )
    )
    nli = EntailmentClassifier(NLIBlock(path=options.nli, device=options.device))
    sampling = Sampling(
        n=options.samples,
        greedy_first=True,
        temperature=1.0,
        repetition_penalty=1.1,
        max_new_tokens=options.max_new_tokens,
    )
    prompts = Prompts()
    chats = [prompts.chat("answer", question=text) for text in questions(options.questions)]
    some = chats[:: max(1, len(chats) // options.plain)][: options.plain]
    published = Published(lm, nli, sampling)
    ours(lm, nli, chats[:8], sampling)  # both ways warm up
    published.score(published.texts(chats[0]))

    torch.manual_seed(0)
    start = time.perf_counter()
    plain_texts = [published.texts(chat) for chat in some]
    answered = time.perf_counter()
    plain_scores = [published.score(texts) for texts in plain_texts]
    scored = time.perf_counter()
    _, answering, scoring = ours(lm, nli, chats, sampling)

    again = selfcheck.score_passages([t[0] for t in plain_texts], [t[1:] for t in plain_texts], nli)
    differences = [
        abs(mine - theirs)
        for mine, theirs in zip(map(selfcheck.passage_score, again), plain_scores, strict=True)
        if mine is not None and theirs is not None
    ]
    plain = (answered - start) / len(some), (scored - answered) / len(some)
    fast = answering / len(chats), scoring / len(chats)
    print(f"model {lm.name}, NLI {nli.name}, {options.samples} samples, {torch.get_num_threads()} threads")
    print(f"{'':24}{'questions':>10}{'answer ms':>11}{'score ms':>10}{'questions/s':>13}")
    for label, count, (answer, score) in (
        ("published, one by one", len(some), plain),
        ("this pipeline", len(chats), fast),
    ):
        rate = 1 / (answer + score)
        print(f"{label:24}{count:>10}{answer * 1e3:>11.1f}{score * 1e3:>10.1f}{rate:>13.1f}")
    print(f"times faster: {sum(plain) / sum(fast):.1f}")
    print(f"largest score difference on the same texts: {max(differences, default=0.0):.1e}")


if __name__ == "__main__":
    main()
