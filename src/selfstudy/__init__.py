"""Find what a language model does not know, find the evidence, teach it, and prove that it learned.

    from selfstudy import learn, load_recipe

    summary = learn(load_recipe("recipe.yaml"), "runs/mine")

The public names are below; they are loaded when first used, so that `import selfstudy` costs nothing.
"""

from __future__ import annotations

from importlib import import_module

from selfstudy.version import __version__

TYPE_CHECKING = False  # type checkers take it as true; importing `typing` would cost more than all of this
if TYPE_CHECKING:
    from selfstudy.errors import SelfstudyError
    from selfstudy.judging.answer_key import AnswerKey
    from selfstudy.loop import Study, learn
    from selfstudy.models import load_embedder, load_lm, load_nli
    from selfstudy.models.base import LanguageModel, Sampling
    from selfstudy.models.scripted import ScriptedLM
    from selfstudy.recipe import Recipe
    from selfstudy.recipe.file import load_recipe
    from selfstudy.run import Run

_PUBLIC = {
    "AnswerKey": "judging.answer_key",
    "LanguageModel": "models.base",
    "Recipe": "recipe",
    "Run": "run",
    "Sampling": "models.base",
    "ScriptedLM": "models.scripted",
    "SelfstudyError": "errors",
    "Study": "loop",
    "learn": "loop",
    "load_embedder": "models",
    "load_lm": "models",
    "load_nli": "models",
    "load_recipe": "recipe.file",
}

__all__ = [
    "AnswerKey",
    "LanguageModel",
    "Recipe",
    "Run",
    "Sampling",
    "ScriptedLM",
    "SelfstudyError",
    "Study",
    "__version__",
    "learn",
    "load_embedder",
    "load_lm",
    "load_nli",
    "load_recipe",
]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
