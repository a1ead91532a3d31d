"""A first recipe: what is asked of a person, what is known of model and machine, and the file that follows.

No model is loaded, and nobody is asked over a network, but a server of this machine for the names of its
models.
"""

from selfstudy.verbs.starting.first_recipe import (
    SCHEMA,
    FirstRecipe,
    first_recipe,
    is_schema,
    require_free,
    schema_text,
    write_new,
)
from selfstudy.verbs.starting.questions import QUESTIONS, InitQuestion, settle

__all__ = [
    "QUESTIONS",
    "SCHEMA",
    "FirstRecipe",
    "InitQuestion",
    "first_recipe",
    "is_schema",
    "require_free",
    "schema_text",
    "settle",
    "write_new",
]
