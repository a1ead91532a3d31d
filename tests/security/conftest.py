"""What attacks share with the tests of what they attack."""

from __future__ import annotations

from ..models.server.conftest import model, servers, workshop

__all__ = ["model", "servers", "workshop"]
