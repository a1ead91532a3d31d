"""Entailment by an encoder-decoder, such as a T5, that was trained to write its verdict.

TRUE (Honovich et al. 2022, arXiv 2204.04991; the judge of ALCE) writes 1 or 0, AttrScore (Yue et al. 2023,
arXiv 2305.06311) one of three words.  Nothing is generated: each verdict that there is has the probability of
its tokens as the decoder's output, end of text included.  How pairs are batched, cached and cut into windows:
`pairs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from selfstudy.errors import ModelError
from selfstudy.files.cache import Cache
from selfstudy.models import windows
from selfstudy.models.local import loading
from selfstudy.models.local.panics import panics_as_errors
from selfstudy.models.pairs import Encoded, Judges, Logits, PairModel, TextPair, most_tokens, plain_text
from selfstudy.recipe import Seq2SeqNLI

MOST = 2_048
"""Most tokens of a pair, where positions are relative and have no end: the published evaluator gives three
documents and a statement whole.  A guess: the 512 that a T5 says are those of its first training."""
_MARGIN = 8
"""Tokens that a pair may be longer by than its texts and what stands around them are apart."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a pair is put to a model, and what it may write.

    Attributes:
        text: with {premise} and {hypothesis}.
        own: words of it that stand in no text of others.
        verdicts: what it writes, by role.
    """

    text: str
    own: tuple[str, ...]
    verdicts: dict[str, str]


FORMS = {
    "true": Form(
        "premise: {premise} hypothesis: {hypothesis}",
        ("premise:", "hypothesis:"),
        {"entailment": "1", "neutral": "0"},
    ),
    "attrscore": Form(
        "Does the reference support the claim? Answer with one word: Attributable if the reference says all "
        "that the claim says, Contradictory if what it says and the claim cannot both be true, "
        "Extrapolatory if it does not say enough to tell.\n"
        "Claim: {hypothesis}\nReference: {premise}\nAnswer:",
        ("Claim:", "Reference:", "Answer:"),
        {"entailment": "Attributable", "contradiction": "Contradictory", "neutral": "Extrapolatory"},
    ),
}
"""By the name in a recipe. The instruction of attrscore is ours, after the paper's definitions."""


class Seq2SeqEntailment(PairModel):
    """An encoder-decoder as judge of pairs; fulfils `base.EntailmentModel`.

    TRUE knows two verdicts, entailment and neutral: 0 is all that does not follow, contradictions too.
    """

    def __init__(self, block: Seq2SeqNLI, cache: Cache | None = None, judges: Judges | None = None) -> None:
        """See `PairModel`.

        Raises:
            ModelError: it cannot be loaded, or is no encoder-decoder.
        """
        self._form = FORMS[block.form]
        self._own_words = self._form.own
        super().__init__(block, cache, judges)
        self._special += _MARGIN
        self._verdicts = [self._tokens(word) for word in self._form.verdicts.values()]

    def _require_kind(self, config: Any) -> None:
        if not getattr(config, "is_encoder_decoder", False):
            raise ModelError(
                f"NLI model {self.name!r} is no encoder-decoder ({getattr(config, 'model_type', '?')})",
                "nli.type seq2seq is for a T5 that writes its verdict: leave nli.type out for a classifier, "
                "or take --judge MODEL (in a recipe: nli: lm) for a language model",
            )

    def _auto(self) -> Any:
        from transformers import AutoModelForSeq2SeqLM

        return AutoModelForSeq2SeqLM

    def _read_labels(self) -> list[str]:
        return list(self._form.verdicts)

    def _most(self) -> int:
        relative = hasattr(self.model.config, "relative_attention_num_buckets")
        return MOST if relative else most_tokens(self.model, self.tokenizer)

    def _judged_by(self) -> tuple[str, ...]:
        return (*super()._judged_by(), self._form.text, *self._form.verdicts.values())

    def _tokens(self, word: str) -> list[int]:
        with panics_as_errors(f"the tokenizer of {self.name}"):
            ids: list[int] = self.tokenizer(text_target=word, verbose=False)["input_ids"]
        end = self.model.config.eos_token_id
        return ids if end is None or ids[-1:] == [end] else [*ids, end]

    def _encode(self, pairs: Sequence[TextPair]) -> list[Encoded]:
        texts = [
            self._form.text.format(premise=plain_text(premise), hypothesis=plain_text(hypothesis))
            for premise, hypothesis in pairs
        ]
        with panics_as_errors(f"the tokenizer of {self.name}"):
            return [{"input_ids": ids} for ids in self.tokenizer(texts, verbose=False)["input_ids"]]

    def _cut_off(self, one: Encoded) -> Encoded:
        """From the end would be the question itself: what the margin does not hold is read."""
        return one

    def _joined(self, rows: dict[TextPair, Logits], premises: list[str], hypotheses: list[str]) -> Logits:
        if "contradiction" in self._labels:
            return super()._joined(rows, premises, hypotheses)
        entailed, _ = self._columns
        each = [
            windows.over_premises(np.stack([rows[one, other] for one in premises]), entailed, entailed)
            for other in hypotheses
        ]
        return windows.over_supported(np.stack(each), entailed)

    @torch.inference_mode()
    def _judge(self, batch: Sequence[Encoded]) -> Logits:
        inputs = self._padded(batch)
        start = self.model.config.decoder_start_token_id
        with loading.computing(self.name):
            read = self.model.get_encoder()(**inputs)
            columns = []
            for verdict in self._verdicts:
                shown = torch.tensor([[start, *verdict[:-1]]] * len(batch), device=self._device)
                logits = self.model(
                    encoder_outputs=read,
                    attention_mask=inputs["attention_mask"],
                    decoder_input_ids=shown,
                    use_cache=False,
                ).logits
                logprobs = torch.log_softmax(logits.float(), dim=-1)
                wanted = torch.tensor(verdict, device=self._device)
                columns.append(logprobs[:, torch.arange(len(verdict)), wanted].double().sum(1))
            return np.asarray(torch.stack(columns, dim=1).cpu().numpy())
