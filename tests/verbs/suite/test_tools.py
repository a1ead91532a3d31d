"""Tools of a recipe, each made when it is asked for."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from selfstudy.library.searching import Searching
from selfstudy.progress import Silent
from selfstudy.recipe import LocalModel
from selfstudy.recipe.file import make_recipe
from selfstudy.run.models import servers_for
from selfstudy.verbs.suite.tools import RecipeTools


def test_the_library_is_read_once_and_its_index_goes_when_all_is_done(tmp_path: Path) -> None:
    (tmp_path / "fiji.txt").write_text("Suva is the capital of Fiji.")
    recipe = make_recipe({"library": str(tmp_path), "gather": {"hybrid": False}}, [])
    with ExitStack() as stack:
        servers = stack.enter_context(servers_for(recipe, print))
        tools = RecipeTools(recipe, servers, Silent(), stack)
        documents = tools.documents()
        assert [one.text for one in documents] == ["Suva is the capital of Fiji."]
        assert tools.documents() is documents
        assert tools.retriever() is not None
        assert tools.entailment().name
        assert tools.judging(LocalModel(path="atlas")).name
    bare = make_recipe({}, [])
    with ExitStack() as stack:
        servers = stack.enter_context(servers_for(bare, print))
        assert RecipeTools(bare, servers, Silent(), stack).retriever() is None


def test_a_library_that_is_searched_is_searched(tmp_path: Path) -> None:
    """Nothing of it is a document: in an index over documents every fact would be "not found"."""
    library = {"sources": [{"type": "wikipedia"}], "fetch": {"offline": True}}
    recipe = make_recipe({"library": library, "gather": {"hybrid": False}}, [])
    with ExitStack() as stack:
        servers = stack.enter_context(servers_for(recipe, print))
        tools = RecipeTools(recipe, servers, Silent(), stack)
        assert list(tools.documents()) == []
        assert isinstance(tools.retriever(), Searching)
