"""A causal language model of transformers, in this process."""

import logging
import sys

# By the package `kernels` transformers, and bitsandbytes, which peft imports, would run code fetched from the
# Hub; and on some processors bitsandbytes says to install it.
sys.modules.setdefault("kernels", None)  # type: ignore[arg-type]
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
