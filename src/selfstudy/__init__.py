"""Find what a language model does not know, find the evidence, teach it, and prove that it learned."""

__version__ = "0.1.0"
