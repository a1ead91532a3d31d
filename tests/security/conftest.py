"""What attacks share with the tests of what they attack."""

from __future__ import annotations

from ..models.server.conftest import home, model, servers

__all__ = ["home", "model", "servers"]
