"""The old place of `selfstudy.stats`, for one script that still imports it from here."""

from selfstudy.stats import auroc

__all__ = ["auroc"]
