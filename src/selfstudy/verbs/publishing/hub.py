"""To a repository of the Hugging Face Hub: huggingface_hub's own upload, with the token that it knows itself.

Knows a folder that is ready; nothing of what is in it.  No token is taken, shown or stored here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.errors import DataError, ModelError
from selfstudy.files import own
from selfstudy.secrets import without_secrets
from selfstudy.text import one_line

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PREFIX = "hub:"


def repository(target: str) -> str:
    """OWNER/NAME of `hub:OWNER/NAME`.

    Raises:
        DataError: it is no name of a repository.
    """
    from selfstudy.models.local.loading import is_hub_id

    name = target.removeprefix(PREFIX)
    if name.count("/") != 1 or not is_hub_id(name):
        raise DataError(f"--to {target[:120]!r} names no repository", "give hub:OWNER/NAME")
    return name


def ready(name: str, *, force: bool, private: bool) -> HfApi:
    """Makes sure, before any work, that an upload can be tried.

    Raises:
        ModelError: huggingface_hub is told to stay offline, has no token, or the Hub does not answer or knows
            no such token.
        DataError: the repository is there already, or everybody sees it and it was to be private.
    """
    from huggingface_hub import HfApi, constants, get_token

    from selfstudy.models.local.loading import hub_answers

    if constants.is_offline_mode():
        raise ModelError(
            "the Hub is switched off here (HF_HUB_OFFLINE)", "unset it, or publish to a folder: --to FOLDER"
        )
    if not get_token():
        raise ModelError(
            "there is no token for the Hub", "run `hf auth login`, or set HF_TOKEN to one that may write"
        )
    if not hub_answers():
        raise ModelError(
            f"the Hub at {constants.ENDPOINT} does not answer",
            "check the network, or publish to a folder: --to FOLDER",
        )
    api = HfApi()
    with _told(f"{constants.ENDPOINT} refuses"):
        api.whoami()
        there = api.repo_exists(name)
    if there and not force:
        raise DataError(
            f"{name} is on the Hub already", "give --force to add this as a commit, or another name"
        )
    if there and private:  # who sees a repository was settled when it was made; no commit changes it
        with _told(f"{constants.ENDPOINT} refuses"):
            seen_by_all = not api.model_info(name).private
        if seen_by_all:
            raise DataError(
                f"{name} is public on the Hub, and what you publish was to be private",
                "make it private in its settings there, leave out --private, or give another name",
            )
    return api


def upload(api: HfApi, folder: Path, name: str, *, private: bool, message: str) -> str:
    """Uploads a folder as one commit; its address.

    Raises:
        ModelError: what the Hub says against it.
    """
    with _told(f"the upload to {name} failed"):
        api.create_repo(name, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=name, folder_path=folder, commit_message=message, ignore_patterns=[f"{own.MARK}*"]
        )
    return str(done.commit_url)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Turns what huggingface_hub raises into one sentence, without keys."""
    import httpx
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except (HfHubHTTPError, httpx.HTTPError, OSError, ValueError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        said = one_line(without_secrets(str(error)), 300) or type(error).__name__
        hint = {
            401: "the token is wrong or has ended: run `hf auth login` again",
            403: "the token may not write there: make one that may, or take another OWNER",
        }.get(status or 0, "check the network, then give the same command again")
        raise ModelError(f"{what}: {said}", hint) from None
