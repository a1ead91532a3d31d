"""One file per way of training; shared.py, order.py (of rows) and memory.py are what they share."""

import selfstudy.models.local  # noqa: F401  what it keeps libraries from has to come before they are imported
