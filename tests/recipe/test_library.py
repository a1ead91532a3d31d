"""The library of a recipe: its sources in every form, what is wrong with them, and runs begun before."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import RecipeError
from selfstudy.recipe import FolderSource, Recipe, UrlsSource, WebSource, WikipediaSource
from selfstudy.recipe.file import (
    changed_keys,
    load_recipe,
    make_recipe,
    parse_recipe,
    read_yaml,
    recipe_digest,
    to_yaml,
)
from selfstudy.run import Run


def sources(recipe: Recipe) -> tuple[object, ...]:
    assert recipe.library is not None
    return recipe.library.sources


def refusal(*overrides: str, **library: object) -> str:
    with pytest.raises(RecipeError) as caught:
        make_recipe({"library": library} if library else {}, overrides)
    return str(caught.value)


def test_a_folder_is_written_back_as_its_path_so_that_old_runs_resume(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    before = make_recipe({"library": str(folder)}, [])
    assert f"\nlibrary: {folder}\n" in to_yaml(before)
    (tmp_path / "kept.yaml").write_text(to_yaml(before))
    after = parse_recipe(read_yaml(tmp_path / "kept.yaml"), "kept")
    assert after == before
    assert changed_keys(before, after) == []
    assert recipe_digest(before) == recipe_digest(after)
    # what 0.1.0 wrote into runs
    assert recipe_digest(make_recipe({"library": "atlas"}, [])) == recipe_digest(Recipe(library="atlas"))  # type: ignore[arg-type]
    Run.create_or_resume(tmp_path / "run", before).close()
    long = make_recipe({"library": {"sources": [{"type": "folder", "path": str(folder)}]}}, [])
    Run.create_or_resume(tmp_path / "run", long).close()
    with Run.open(tmp_path / "run") as run:
        assert run.recipe == before


def test_every_form_is_the_same_thing() -> None:
    said: list[object] = [
        "atlas",
        ["atlas"],
        {"type": "folder", "path": "atlas"},
        {"sources": ["atlas"]},
        {"sources": [{"type": "folder", "path": "atlas"}], "fetch": {"delay": 1}},
    ]
    made = [make_recipe({"library": one}, []) for one in said]
    assert len({recipe_digest(one) for one in made}) == 1
    assert all(one == made[0] for one in made)
    mixed = make_recipe({"library": ["atlas", "https://example.org/a?page=2", {"type": "wikipedia"}]}, [])
    assert sources(mixed) == (
        FolderSource(path="atlas"),
        UrlsSource(urls=("https://example.org/a?page=2",)),
        WikipediaSource(),
    )
    assert parse_recipe(read := to_dict(mixed), "kept") == mixed, read


def to_dict(recipe: Recipe) -> dict[str, object]:
    return recipe.model_dump(mode="json")


def test_relative_paths_inside_the_list_and_the_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "docs").mkdir(parents=True)
    for name in ("w.xml", "list.txt"):
        (home / name).touch()
    (home / "my.yaml").write_text(
        "library:\n  sources: [docs, atlas, 'https://example.org/a', {type: folder, path: docs},\n"
        "    {type: wikipedia, dump: w.xml}, {type: urls, file: list.txt}]\n  fetch: {delay: 0}\n"
    )
    monkeypatch.chdir(tmp_path)
    found = sources(load_recipe(home / "my.yaml"))
    assert found == (
        FolderSource(path=str(home / "docs")),
        FolderSource(path="atlas"),
        UrlsSource(urls=("https://example.org/a",)),
        FolderSource(path=str(home / "docs")),
        WikipediaSource(dump=str(home / "w.xml")),
        UrlsSource(file=str(home / "list.txt")),
    )
    (home / "short.yaml").write_text("library: [docs, {type: wikipedia, dump: w.xml}]\n")
    assert sources(load_recipe(home / "short.yaml")) == (found[0], found[4])
    (tmp_path / "here").mkdir()
    changed = load_recipe(home / "short.yaml", ["library.0=here"])
    assert sources(changed)[0] == FolderSource(path=str(tmp_path / "here"))


@pytest.mark.parametrize("begun", ["atlas", ["atlas"], {"sources": ["atlas"]}])
def test_overrides_reach_into_every_form(begun: object) -> None:
    recipe = make_recipe({"library": begun}, ["library.fetch.delay=0", "library.fetch.offline=true"])
    assert recipe.library is not None
    assert (recipe.library.fetch.delay, recipe.library.fetch.offline) == (0, True)
    assert sources(recipe) == (FolderSource(path="atlas"),)
    fewer = make_recipe({"library": ["atlas", {"type": "wikipedia"}]}, ["library.1.results=1"])
    assert sources(fewer)[1] == WikipediaSource(results=1)
    assert "library.sources: missing" in refusal("library.fetch.delay=0")


@pytest.mark.parametrize(
    ("library", "said"),
    [
        ({"type": "web", "engine": "searxng"}, "library = {"),
        ({"type": "web", "engine": "searxng"}, "engine searxng needs url (the address of the instance)"),
        ({"type": "web", "engine": "brave"}, "engine brave needs api_key_env (the name of the variable"),
        ({"type": "web", "engine": "google", "api_key_env": "G_KEY"}, "engine google needs engine_id"),
        ({"type": "web", "engine": "bing"}, "library.engine = \"bing\": must be 'searxng', 'serpapi'"),
        ({"type": "web", "enigne": "ddgs"}, "library.enigne: unknown key; did you mean library.engine?"),
        ({"type": "wikipedia", "titles": ["Mali"], "dump": "/w.xml"}, "has titles and dump: give one of"),
        ({"type": "urls"}, "names no page: give urls, file or sitemap"),
        ({"type": "urls", "urls": ["ftp://example.org"]}, "must begin with http:// or https://"),
        ({"type": "urls", "urls": ["https://me:pw@example.org/"]}, "seems to be a secret"),
        ({"type": "urls", "urls": ["https://example.org/?api_key=1"]}, "library.urls.0 = (not shown)"),
        ({"type": "magic"}, "library.type = \"magic\": must be one of 'folder', 'wikipedia', 'web', 'urls'"),
        ({"sources": []}, "library.sources = []: must name a source"),
        ({"sources": ["atlas", {"type": "urls", "urlz": 1}]}, "did you mean library.sources.1.urls?"),
        ({"sources": ["atlas"], "fetch": {"delai": 1}}, "did you mean library.fetch.delay?"),
        (
            {"type": "web", "engine": "brave", "api_key_env": "BSAx9sd8f7sd8f7s8df7"},
            "(not shown): must be the",
        ),
    ],
)
def test_what_is_wrong_is_said_once(library: dict[str, object], said: str) -> None:
    message = refusal(**library)
    assert said in message
    assert "BSAx9" not in message
    assert "a problem" in message or said.startswith("library.enigne") or "(not shown)" in said


def test_what_is_not_there_and_what_needs_documents_at_hand(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(
        "library: [docs, {type: urls, file: no.txt}, {type: wikipedia, dump: no.zim}]\n"
    )
    with pytest.raises(RecipeError) as caught:
        load_recipe(tmp_path / "my.yaml")
    for name in ("docs", "no.txt", "no.zim"):
        assert f"library: nothing at {tmp_path / name}" in str(caught.value)
    (tmp_path / "my.yaml").write_text("library: {type: wikipedia}\n")
    with pytest.raises(RecipeError, match="needs documents before there are questions"):
        load_recipe(tmp_path / "my.yaml", ["probe.ask=[{method: documents, count: 3}]"])
    assert load_recipe(tmp_path / "my.yaml", ["probe.ask=[{method: open, count: 3}]"]).library


def test_how_pages_are_fetched_and_with_which_key_is_no_part_of_a_run() -> None:
    web = {"type": "web", "engine": "brave", "api_key_env": "MY_KEY"}
    one = make_recipe({"library": ["atlas", web]}, [])
    other = make_recipe(
        {"library": ["atlas", {**web, "api_key_env": "OTHER"}]}, ["library.fetch.offline=true"]
    )
    assert changed_keys(one, other) == []
    assert recipe_digest(one) == recipe_digest(other)
    more = make_recipe({"library": ["atlas", {**web, "results": 9}]}, [])
    assert changed_keys(one, more) == ["library.sources.1.results: 5 -> 9"]
    assert recipe_digest(one) != recipe_digest(more)


def test_which_sources_are_asked_each_question() -> None:
    library = make_recipe(
        {
            "library": [
                "atlas",
                {"type": "wikipedia"},
                {"type": "wikipedia", "titles": ["Mali"]},
                {"type": "wikipedia", "dump": "/w.zim"},
                {"type": "web", "engine": "ddgs"},
                "https://example.org/",
            ]
        },
        [],
    ).library
    assert library is not None
    all_ = library.sources
    assert library.searched == (all_[1], all_[4])
    assert library.fixed == (all_[0], all_[2], all_[3], all_[5])
    assert library.here == (all_[0], all_[3])
    assert library.fetches
    assert isinstance(all_[4], WebSource)


def test_an_override_reaches_into_a_source_that_is_a_text() -> None:
    (found,) = sources(make_recipe({"library": "docs"}, ["library.sources.0.path=/elsewhere"]))
    assert found == FolderSource(path="/elsewhere")
    both = sources(make_recipe({"library": ["docs", "http://a.example/"]}, ["library.sources.1.most=3"]))
    assert both[0] == FolderSource(path="docs")
    assert both[1] == UrlsSource(urls=("http://a.example/",), most=3)


def test_a_source_without_a_type_is_told_so() -> None:
    with pytest.raises(RecipeError, match=r"library\.1\.type: missing"):
        make_recipe({"library": ["docs", {"path": "more"}]}, [])


def test_an_index_on_object_storage(tmp_path: Path) -> None:
    recipe = make_recipe({"library": "atlas"}, ["library.index=s3://bucket/a/b-c/"])
    assert recipe.library is not None
    assert recipe.library.index == "s3://bucket/a/b-c"
    (tmp_path / "again.yaml").write_text(to_yaml(recipe))
    assert load_recipe(tmp_path / "again.yaml").library == recipe.library
    here = make_recipe({"library": "atlas"}, [])
    # what is unlearned is looked for where a run keeps its index, so it stays there
    assert changed_keys(here, recipe) == ['library: "atlas" -> (absent)', *changed_keys(here, recipe)[1:]]
    assert len(changed_keys(here, recipe)) > 1


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("s3://bucket", "must be s3://BUCKET/PREFIX"),
        ("https://bucket.s3.amazonaws.com/a", "must be s3://BUCKET/PREFIX"),
        ("s3+ddb://bucket/a", "must be s3://BUCKET/PREFIX"),
        ("gs://bucket/a", "must be s3://BUCKET/PREFIX"),
        ("/tmp/index", "must be s3://BUCKET/PREFIX"),
        ("s3://bucket/../a", "must be s3://BUCKET/PREFIX"),
        ("s3://Bucket/a", "must be s3://BUCKET/PREFIX"),
        ("s3://bucket/a b", "must be s3://BUCKET/PREFIX"),
        ("s3://key:word@bucket/a", "library.index = (not shown)"),
        ("s3://bucket/a?ddbTableName=x", "library.index = (not shown)"),
        ("s3://bucket/wJalr9XUtnFEMI7MDENG3bPxRfiCY2EXAMPLEKEY", "library.index = (not shown)"),
        ("s3://bucket/AKIAIOSFODNN7EXAMPLE", "library.index = (not shown)"),
    ],
)
def test_no_other_place_is_taken_for_an_index(place: str, said: str) -> None:
    message = refusal(sources=["atlas"], index=place)
    assert said in message
    assert "wJalr" not in message
    assert "AKIA" not in message
