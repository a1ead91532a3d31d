"""Every prompt, as text: one template file each."""

from selfstudy.prompts.templates import Prompts, demonstrated

__all__ = ["Prompts", "demonstrated"]
