"""One file per way of training; shared.py has what they share, memory.py what they take."""

import selfstudy.models.local  # noqa: F401  what it keeps libraries from has to come before they are imported
