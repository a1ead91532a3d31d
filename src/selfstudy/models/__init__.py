"""What answers questions, judges entailment and embeds texts; loaded from recipe blocks.

The backends are imported only when one is loaded, so that importing this package costs nothing.
"""

from selfstudy.models.load import Models, load_embedder, load_lm, load_nli

__all__ = ["Models", "load_embedder", "load_lm", "load_nli"]
