"""Every prompt, as text: one template file each."""

from selfstudy.prompts.templates import Prompts, demonstrated, reordered, rotated

__all__ = ["Prompts", "demonstrated", "reordered", "rotated"]
