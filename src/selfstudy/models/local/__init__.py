"""A causal language model of transformers, in this process."""

import logging
import sys

sys.modules.setdefault("kernels", None)  # type: ignore[arg-type]
"""By this package transformers, and bitsandbytes, which peft imports, would run code fetched from the Hub."""
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)  # it says to install that package
