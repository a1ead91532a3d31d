"""Hands over what a run taught: written aside, loaded back and asked, described, then put in its place.

What does not answer as the run's own model is never published; it is kept aside, to be looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from selfstudy.errors import ModelError, RunError
from selfstudy.files import lock, own, private
from selfstudy.models.taught import publish as put_in_place
from selfstudy.run import Run
from selfstudy.text import one_line
from selfstudy.verbs.publishing import hub, leaks
from selfstudy.verbs.publishing.card import README, CardOptions, card_of
from selfstudy.verbs.publishing.chosen import Publication, choose
from selfstudy.verbs.publishing.loading_back import LoadedBack, load_back
from selfstudy.verbs.publishing.questions import ask_taught, chosen_questions
from selfstudy.verbs.publishing.writing import write_model

if TYPE_CHECKING:
    from huggingface_hub import HfApi

DONE = "published: "
"""With which the command begins the line that says where it is; it says none if it failed."""
_ASIDE = "-not-published"
_LOCK = f"{own.MARK}.lock"
_FOLDER_WORD = "path/to/this/folder"


@dataclass(frozen=True)
class PublishOptions:
    """How a run is published.

    Attributes:
        to: a folder, or hub:OWNER/NAME.
        merged, gguf: the whole model instead of the adapter; the adapter as a GGUF file beside it.
        adapter: one of several, by name.
        base: the Hub id under which others find the base model.
        least: answers, of ten, that have to be the run's own; None: all.
        private, force, unverified: see the command.
    """

    to: str
    merged: bool = False
    gguf: bool = False
    adapter: str | None = None
    base: str | None = None
    license: str | None = None
    data_license: str | None = None
    source_names: bool = True
    private: bool = False
    force: bool = False
    unverified: bool = False
    least: int | None = None


@dataclass(frozen=True)
class Published:
    """What came of it.

    Attributes:
        place: the folder, or the address on the Hub.
        check: what loading it back showed.
    """

    place: str
    check: LoadedBack


def publish(
    place: Path,
    options: PublishOptions,
    say: Callable[[str], object],
    agree: Callable[[str], bool] = lambda question: True,
) -> Published:
    """Publishes what the run at `place` taught.

    Args:
        say: told what is done.
        agree: asked before anything leaves this machine.

    Raises:
        RunError: nothing to publish, or a folder is in the way.
        ModelError: it cannot be loaded back, answers otherwise, or the Hub refuses it.
        DataError: a name that is none, or a path or key of this machine in what was written.
    """
    run = Run.open(place, write=False)
    chosen = choose(run, unverified=options.unverified, adapter=options.adapter, base=options.base)
    api, name, target = _target(run, options)
    if name is not None:
        _require_found(chosen, options)
    folder = own.unfinished(target)
    with _alone(folder, target):
        return _handed_over(chosen, options, folder, (api, name, target), say, agree)


@contextmanager
def _alone(folder: Path, target: Path) -> Iterator[None]:
    """An empty folder of ours which no other publication writes; what a killed one left is gone."""
    if own.check(folder) and own.is_marked(folder):
        lock.release(lock.take(folder / _LOCK, target, "--to"))
    own.remove(folder)
    own.make(folder)
    held = lock.take(folder / _LOCK, target, "--to")
    try:
        yield
    finally:
        lock.release(held)


def _handed_over(
    chosen: Publication,
    options: PublishOptions,
    folder: Path,
    where: tuple[HfApi | None, str | None, Path],
    say: Callable[[str], object],
    agree: Callable[[str], bool],
) -> Published:
    """Fills a folder and puts it in its place, or uploads it."""
    api, name, target = where
    try:
        found = _filled(chosen, folder, options, name or target.name, name or _FOLDER_WORD, say)
        private.close_tree(folder)
    except BaseException:
        own.remove(folder)  # unless it was set aside
        raise
    if api is None or name is None:
        if options.force:
            own.remove(target)
        (folder / _LOCK).unlink()
        put_in_place(folder, target)
        return Published(str(target), found)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    seen = "private" if options.private else "public"
    if not agree(f"upload {size / 2**20:,.1f} MB to the {seen} repository {name}?"):
        aside = _set_aside(folder)
        raise RunError("nothing was uploaded", f"what would be is in {aside}")
    url = hub.upload(
        api,
        folder,
        name,
        private=options.private,
        message=f"taught in a run of selfstudy, round {chosen.round.number}",
    )
    own.remove(folder)
    return Published(url, found)


def _target(run: Run, options: PublishOptions) -> tuple[HfApi | None, str | None, Path]:
    """The Hub and the repository, or neither; and the folder that is written."""
    if options.to.startswith(hub.PREFIX):
        name = hub.repository(options.to)
        api = hub.ready(name, force=options.force, private=options.private)
        return api, name, run.path.absolute().with_name(f"{run.path.name}-upload")
    target = Path(options.to).absolute()
    if target.resolve().is_relative_to(run.path.resolve()):
        raise RunError(f"{target} lies in the run itself", "give a folder of its own")
    if own.check(target) and any(target.iterdir()) and not options.force:
        raise RunError(f"{target} is there already", "give --force to replace it, or another folder")
    private.make_folder(target.parent)
    return None, None, target


def _require_found(chosen: Publication, options: PublishOptions) -> None:
    if chosen.base.on_hub or chosen.base.packaged or options.merged or chosen.whole:
        return
    raise ModelError(
        f"the base model is the folder {chosen.base.name} of this machine, which nobody finds on the Hub",
        "name it as others find it: --base OWNER/NAME; or publish the whole model: --merged",
    )


def _filled(
    chosen: Publication,
    folder: Path,
    options: PublishOptions,
    title: str,
    place: str,
    say: Callable[[str], object],
) -> LoadedBack:
    """Writes everything, and checks it."""
    merged = options.merged and not chosen.whole
    questions = chosen_questions(chosen)
    say(f"asking the taught model {len(questions)} questions of the run")
    asking = ask_taught(chosen, questions)
    say("writing it")
    write_model(chosen, folder, asking.tokenizer, merged=options.merged, gguf=options.gguf, say=say)
    say("loading it back in a process without selfstudy, and asking the same")
    whole = merged or chosen.whole
    found = load_back(folder, asking, list(chosen.adapters), whole=whole)
    say(f"{found.same} of {found.asked} answers are the run's own, to the letter")
    least = found.asked if options.least is None else min(options.least, found.asked)
    if found.same < least:
        aside = _set_aside(folder)
        raise ModelError(
            f"loaded back it answers {found.asked - found.same} of {found.asked} questions otherwise: "
            + _told(found),
            f"it was not published; what was written is in {aside}. Where numbers are rounded (bfloat16) an "
            "answer may turn at a tie: --least N takes fewer",
        )
    data = CardOptions(title, place, options.license, options.data_license, options.source_names)
    text = card_of(chosen, asking, found, data, merged=merged, gguf=options.gguf)
    (folder / README).write_text(text, encoding="utf-8")
    leaks.require_none(folder, _places(chosen, folder))
    return found


def _told(found: LoadedBack) -> str:
    shown = []
    for one in found.differences[:3]:
        what = (
            f"{one_line(one.taught, 100)!r} became {one_line(one.published, 100)!r}"
            if one.same_prompt
            else "the tokenizer makes another prompt of it"
        )
        shown.append(f"{one_line(one.question, 120)!r}: {what}")
    return "; ".join(shown)


def _set_aside(folder: Path) -> Path:
    """Gives what is not published a name of its own, in place of the last such one."""
    aside = folder.with_name(folder.name.removesuffix(own.UNFINISHED) + _ASIDE)
    own.remove(aside)
    (folder / _LOCK).unlink()
    folder.rename(aside)
    return aside


def _places(chosen: Publication, folder: Path) -> Sequence[Path]:
    """What of this machine must not be named."""
    from selfstudy.models.local import loading

    path, is_folder = loading.locate(chosen.block.path, "lm")
    return [chosen.run.path, folder, folder.parent, *([Path(path)] if is_folder else [])]
