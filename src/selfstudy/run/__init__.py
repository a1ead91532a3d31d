"""What a run has done so far, and what several stages must agree on about it."""

from selfstudy.run.directory import SCORING, Round, Run

__all__ = ["SCORING", "Round", "Run"]
