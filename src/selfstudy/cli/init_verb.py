"""The verb init."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from selfstudy.cli.session import app, session
from selfstudy.screen import say


@app.command(short_help="The JSON schema of recipes, for editors.")
def init(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where to write it [default: printed].")
    ] = None,
    json_schema: Annotated[
        bool, typer.Option("--json-schema", help="What editors need to complete and check recipes.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write the JSON schema of recipes, so that an editor completes and checks them.

    \b
    Examples:
      selfstudy init --json-schema
      selfstudy init --json-schema recipe.schema.json
    """
    with session():
        from selfstudy.errors import RecipeError
        from selfstudy.files import private
        from selfstudy.recipe.schema import recipe_schema

        if not json_schema:
            raise RecipeError("init writes the schema of recipes only", "give --json-schema")
        text = json.dumps(recipe_schema(), indent=2, ensure_ascii=False)
        if file is None:
            say(text)
            return
        if file.exists() and not force:
            raise RecipeError(f"{file} is there already", "give another name, or --force to replace it")
        with private.replacing(file) as made:
            made.write(text.encode() + b"\n")
        say(f"wrote {file}; above a recipe put: # yaml-language-server: $schema={file.name}")
