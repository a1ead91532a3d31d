"""One file per way of training; shared.py has what they share, fast_lora.py a faster LoRA on CPUs."""

import selfstudy.models.local  # noqa: F401  what it keeps libraries from has to come before they are imported
