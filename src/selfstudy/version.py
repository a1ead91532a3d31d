"""The version of selfstudy, apart from the package itself, which would be a circle."""

__version__ = "0.2.0.dev5"
