"""What a run has done so far, and what several stages must agree on about it."""

from selfstudy.run.directory import ESTIMATE, SCORING, Round, Run

__all__ = ["ESTIMATE", "SCORING", "Round", "Run"]
