"""Natural language inference with any sequence-classification model of transformers.

Labels are read from the model's `id2label`, never assumed.  How pairs are batched, cached and cut into
windows: `pairs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from selfstudy.errors import ModelError
from selfstudy.files.cache import Cache
from selfstudy.models import deberta
from selfstudy.models.local import loading
from selfstudy.models.local.panics import panics_as_errors
from selfstudy.models.pairs import Encoded, Judges, Logits, PairModel, TextPair, most_tokens, plain_text
from selfstudy.recipe import NLIBlock

_ROLES = {"entail": "entailment", "contradict": "contradiction", "neutral": "neutral"}


class EntailmentClassifier(PairModel):
    """An NLI classifier; fulfils `base.EntailmentModel`."""

    def __init__(self, block: NLIBlock, cache: Cache | None = None, judges: Judges | None = None) -> None:
        """See `PairModel`.

        Raises:
            ModelError: it cannot be loaded, or its labels do not tell entailment and contradiction.
        """
        super().__init__(block, cache, judges)
        if judges is None:
            deberta.quicken(self.model)  # the last that is done to its weights

    def _require_kind(self, config: Any) -> None:
        written = [str(one) for one in getattr(config, "architectures", None) or ()]
        if any(one.endswith("ForConditionalGeneration") for one in written):
            raise ModelError(
                f"NLI model {self.name!r} writes its verdict ({written[0]}) and is no classifier",
                "say so with --set nli.type=seq2seq (in a recipe: nli: {type: seq2seq, path: ...})",
            )

    def _auto(self) -> Any:
        from transformers import AutoModelForSequenceClassification

        return AutoModelForSequenceClassification

    def _read_labels(self) -> list[str]:
        return label_roles(self.model.config.id2label, self.name)

    def _most(self) -> int:
        return most_tokens(self.model, self.tokenizer)

    def _encode(self, pairs: Sequence[TextPair]) -> list[Encoded]:
        premises, hypotheses = ([plain_text(text) for text in side] for side in zip(*pairs, strict=True))
        with panics_as_errors(f"the tokenizer of {self.name}"):
            table = self.tokenizer(premises, hypotheses, return_attention_mask=False, verbose=False)
        return [
            dict(zip(table.keys(), columns, strict=True)) for columns in zip(*table.values(), strict=True)
        ]

    @torch.inference_mode()
    def _judge(self, batch: Sequence[Encoded]) -> Logits:
        inputs = self._padded(batch)
        with loading.computing(self.name):
            logits = self.model(**inputs).logits
            return np.asarray(logits.double().cpu().numpy())


def label_roles(id2label: dict[int, str], path: str) -> list[str]:
    """The role of every class, by index: entailment, contradiction, neutral, or the label itself.

    Raises:
        ModelError: the labels do not name exactly one entailment and one contradiction.
    """
    labels = [str(id2label[i]) for i in sorted(id2label)]
    roles = [
        next((role for start, role in _ROLES.items() if label.strip().lower().startswith(start)), label)
        for label in labels
    ]
    if roles.count("entailment") != 1 or roles.count("contradiction") != 1:
        raise ModelError(
            f"NLI model {path!r}: its labels {labels} do not name one entailment and one contradiction",
            "use a model trained on MNLI or the like, or name its labels in id2label of config.json",
        )
    return roles
