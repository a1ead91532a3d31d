"""summary.json: everything a run found, taught and proved, in figures."""

from selfstudy.summary.model import Summary
from selfstudy.summary.summarise import summarise
from selfstudy.verify.suites.figures import SuiteFigure, SuiteResult

__all__ = ["SuiteFigure", "SuiteResult", "Summary", "summarise"]
