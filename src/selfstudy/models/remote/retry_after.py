"""How long a server asks to wait (RFC 9110, section 10.2.3).  Knows no requests, and no patience."""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime


def retry_after(value: str) -> float | None:
    """Seconds from a Retry-After header, which holds a number or a date; None: it holds neither."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if not math.isnan(seconds) else None
