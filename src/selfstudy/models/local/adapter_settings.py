"""What the settings of a stranger's adapter may not say, looked at before peft reads them.

peft imports modules, opens files, matches regular expressions and makes matrices as adapter_config.json says.
Knows nothing of models.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from selfstudy.errors import ModelError
from selfstudy.models.local import headers, small_files, untrusted
from selfstudy.models.lora import CONFIG, WEIGHTS

_KINDS = {"LORA", "ADALORA", "LOHA", "LOKR", "IA3", "OFT", "HRA", "VERA", "LN_TUNING", "MISS", "RANDLORA"}
"""Adapters that are weights in the model's layers and nothing else."""
_PROMPTS = {
    *("PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "ADAPTION_PROMPT", "CPT"),
    "CARTRIDGE",
}
_NAMES = ("target_modules", "modules_to_save", "exclude_modules", "layers_pattern", "feedforward_modules")
"""Lists of names of modules, which peft puts into regular expressions as they are."""
_NAME = re.compile(r"[\w.-]{1,500}")
_PATTERN = re.compile(r"[\w.^$\\()|*+-]{1,500}")
"""A pattern with no more than a choice of names, and layers left open."""
_ELSEWHERE = (
    "megatron_config",
    "eva_config",
    "corda_config",
    "lora_ga_config",
    "arrow_config",
    "tokenizer_kwargs",
)
"""Settings that name modules to import, or files to unpickle."""
_MOST_ROUNDS, _MOST_LAYERS = 64, 2000


def require_safe(folder: Path, *, patterns: bool = True) -> None:
    """Refuses settings of an adapter that load, run or build more than its weights.

    Args:
        patterns: whether modules may be named by a regular expression; who reads it must match it in linear
            time, as `lora_targets.matching` does and an engine does not.

    Raises:
        ModelError: which one.
    """
    for name in (CONFIG, WEIGHTS):
        small_files.require_inside(folder, folder / name)
    file = folder / CONFIG
    config = small_files.read_json(file, small_files.MAX_CONFIG)
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if str(kind) in _PROMPTS:
        raise ModelError(
            f"adapter {str(folder)!r}: it changes the prompt, not the weights ({kind})", "use LoRA"
        )
    if str(kind) not in _KINDS:
        raise ModelError(f"{file} names no peft_type that is loaded, but {kind!r}", "give a LoRA adapter")
    untrusted.require_no_code(file, config)
    try:
        _require_harmless(file, config)
    except (TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{file} cannot be understood: {error}", "copy it again") from None
    pattern = next((key for key in _NAMES if isinstance(config.get(key), str)), None)
    if not patterns and pattern is not None and config[pattern] != "all-linear":
        raise ModelError(
            f"{file}: {pattern} is a regular expression, which an engine may match for ever",
            f"put the names of the modules there as a list: {pattern}",
        )


def _require_harmless(file: Path, config: dict[str, Any]) -> None:
    library = (config.get("auto_mapping") or {}).get("parent_library")
    foreign = [key for key in _ELSEWHERE if config.get(key)]
    if library is not None and not str(library).startswith("transformers."):
        foreign.append("auto_mapping")
    if foreign:
        raise ModelError(f"{file} names code or files of its own ({foreign[0]})", f"remove {foreign[0]}")
    _require_names(file, config)
    _require_sizes(file, config)


def _require_names(file: Path, config: dict[str, Any]) -> None:
    for key in _NAMES:
        value = config.get(key)
        if isinstance(value, str) and key != "layers_pattern":
            continue  # one regular expression, matched in linear time: `lora_targets.matching`
        for name in [value] if isinstance(value, str) else value or ():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ModelError(f"{file}: {key} has {str(name)[:100]!r}, no name of a module", "give names")
    for key, value in config.items():
        if not key.endswith("_pattern") or not isinstance(value, dict):
            continue
        for name in value:
            if not _PATTERN.fullmatch(name) or sum(map(name.count, "*+")) > 1 or name.count("|") > 8:
                raise ModelError(
                    f"{file}: {key} has {name[:100]!r}, no plain pattern of modules", "give names of modules"
                )


def _require_sizes(file: Path, config: dict[str, Any]) -> None:
    from safetensors import SafetensorError

    try:
        longest = headers.stored([file.parent / WEIGHTS]).longest
    except SafetensorError as error:
        raise ModelError(
            f"adapter {str(file.parent)!r} cannot be read: {error}",
            f"its {WEIGHTS} is damaged or cut short: copy it again",
        ) from None
    ranks = [value for key in ("r", "init_r", "target_r") for value in [config.get(key)]]
    ranks += list((config.get("rank_pattern") or {}).values())
    for rank in ranks:
        if rank is not None and (not isinstance(rank, int) or not 0 <= rank <= max(longest, 1024)):
            raise ModelError(
                f"{file} claims the rank {rank!r}; the longest side of its matrices is {longest:,}",
                "its settings and its weights are of different adapters: copy it again",
            )
    start = config.get("init_lora_weights")
    rounds = re.search(r"\d+$", start) if isinstance(start, str) else None
    if rounds is not None and (len(rounds[0]) > 3 or int(rounds[0]) > _MOST_ROUNDS):
        raise ModelError(
            f"{file} wants {rounds[0][:20]} rounds to begin with (init_lora_weights)", "set it to true"
        )
    copies = config.get("layer_replication") or ()
    if sum(abs(int(end) - int(start)) for start, end in copies) > _MOST_LAYERS:
        raise ModelError(f"{file} copies more than {_MOST_LAYERS} layers (layer_replication)", "remove it")
