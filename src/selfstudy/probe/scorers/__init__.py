"""How inconsistent is an answer with itself?  One file per way, one contract; table.py lists them."""

from selfstudy.probe.scorers.base import Scorer
from selfstudy.probe.scorers.ensemble import Weights, fit_weights
from selfstudy.probe.scorers.table import SCORERS, Tools, make_scorer

__all__ = ["SCORERS", "Scorer", "Tools", "Weights", "fit_weights", "make_scorer"]
