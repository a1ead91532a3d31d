"""Is this machine ready, and for this recipe?  Each finding that fails names the command that fixes it.

Changes nothing, loads no model (`try_model` does), downloads nothing.
"""

from selfstudy.verbs.doctor.everything import examine
from selfstudy.verbs.doctor.finding import Finding

__all__ = ["Finding", "examine"]
