"""What a run has done so far, and what several stages must agree on about it."""

from selfstudy.run.directory import Round, Run
from selfstudy.run.timings import ESTIMATE, SCORING

__all__ = ["ESTIMATE", "SCORING", "Round", "Run"]
