"""Can a model be worked with at all?  Found out in some seconds, before the first hour is spent on it.

asking.py: what it is asked, and what it said; signs.py: what one text shows; diagnosis.py: what is wrong,
from all of them; advice.py: what to try; check.py: all of it in a row.  Knows no stage, run or backend.
"""

from selfstudy.smoke.check import Smoke, check

__all__ = ["Smoke", "check"]
