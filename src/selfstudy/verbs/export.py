"""Gives a taught adapter away: as a GGUF file that llama.cpp serves beside the model.

Knows which adapter of a run was promoted, and whose it is; nothing of what is in the file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from selfstudy.errors import DataError, ModelError, RunError
from selfstudy.files import own
from selfstudy.models.taught import adapters_of, is_complete, is_routed, is_whole
from selfstudy.recipe import LocalModel, weights_of


def export(place: Path, target: Path, model: str | None, say: Callable[[str], object]) -> None:
    """Writes an adapter to a new GGUF file, and says what to serve it with.

    Args:
        place: a run, whose last promoted adapter is meant, or the folder of an adapter.
        model: whose adapter it is; None: the model of the run.
        say: told what was done.

    Raises:
        DataError: the file is there, or is not to be one.
        RunError: nothing was promoted in the run.
        ModelError: the adapter or its model cannot be exported, or is not what was said.
        MissingExtraError: the package `gguf` is absent.
    """
    from selfstudy.models.local import adapted, gguf, gguf_adapter, loading, pretrained

    if target.suffix.lower() != gguf.SUFFIX:
        raise DataError(f"{target} is no name of a GGUF file", f"end it in {gguf.SUFFIX}")
    if target.exists() or target.is_symlink():
        raise DataError(f"{target} is there already", "remove it, or give another name")
    gguf_adapter.require_package("export")
    adapter, block = _of_run(place, model) if own.is_run(place) else _alone(place, model)
    adapted.require_sound(adapter)
    path, is_folder = loading.locate(block.path, "lm")
    from_file = is_folder and Path(path).is_file()
    source = pretrained.source(block.path, path, is_folder, block.revision, block.trust_remote_code, say)
    config = pretrained.read_config(source).get_text_config()
    architecture = gguf.architecture(Path(path)) if from_file else gguf_adapter.architecture_of(config)
    unfinished = target.with_name(f"{target.name}{own.UNFINISHED}")
    try:
        written = gguf_adapter.write(adapter, config, architecture, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    say(
        f"wrote {target}: {adapter}, rank {written.rank}, {written.layers} layers of a model of architecture "
        f"{written.architecture}"
    )
    if block.load_in_4bit:
        say("it was taught on weights of 4 bits, and measured on these: on others nobody has measured it")
    served = Path(path) if from_file else "MODEL.gguf"
    say(f"serve it: llama-server -m {served} --lora {target}")
    if not from_file:
        say(f"MODEL.gguf is {block.path} as llama.cpp's convert_hf_to_gguf.py writes it")


def _of_run(place: Path, model: str | None) -> tuple[Path, LocalModel]:
    """The adapter that a run has promoted last, and the model that it was taught to."""
    from selfstudy.run import Run
    from selfstudy.run.standing import decided, promoted_last

    with Run.open(place, write=False) as run:
        turn = promoted_last(run)
        block = weights_of(run.recipe.model)
    if turn is None:
        raise RunError(
            f"{place} has promoted nothing",
            f"name the folder of an adapter: selfstudy export {place}/rounds/1/adapter FILE --model MODEL",
        )
    if block is None:
        raise ModelError(
            f"the model of {place} has no weights here", "export runs of models that were taught"
        )
    _require_adapter(decided(turn))
    return decided(turn), block if model is None else block.model_copy(update={"path": model})


def _alone(place: Path, model: str | None) -> tuple[Path, LocalModel]:
    if not is_complete(place):
        raise DataError(f"{place} is neither a run nor the folder of an adapter", "give one of them")
    _require_adapter(place)
    if model is None:
        raise DataError(
            f"{place} is an adapter by itself", "name its model: --model FOLDER, a Hub id or a .gguf file"
        )
    return place, LocalModel(path=model)


def _require_adapter(place: Path) -> None:
    if is_routed(place):
        found = ", ".join(adapters_of(place)) or "none"
        raise ModelError(
            f"{place} holds adapters of which a router picks one by prompt, and a file holds one: {found}",
            f"export one of them: selfstudy export {place}/NAME FILE.gguf --model MODEL",
        )
    if is_whole(place):
        raise ModelError(
            f"{place} is a whole model, not an adapter: all its weights were trained",
            "llama.cpp's convert_hf_to_gguf.py makes a GGUF file of that folder",
        )
