"""One file per way of training; shared.py has what they share, fast_lora.py a faster LoRA on CPUs."""
