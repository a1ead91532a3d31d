"""What attacks share with the tests of what they attack."""

from __future__ import annotations

from ..models.server.conftest import workshop, model, servers

__all__ = ["workshop", "model", "servers"]
