"""summary.json: everything a run found, taught and proved, in figures."""

from selfstudy.summary.model import Summary
from selfstudy.summary.summarise import summarise

__all__ = ["Summary", "summarise"]
