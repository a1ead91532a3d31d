"""Every prompt, as text: one template file each."""

from selfstudy.prompts.templates import Prompts

__all__ = ["Prompts"]
