"""Models, encoders and adapters that bring code, pickles or files from elsewhere: nothing of it runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import ModelError, RecipeError
from selfstudy.models import load_embedder, load_lm, load_nli
from selfstudy.models.counting import tokenizer_of
from selfstudy.models.local import adapted, pretrained
from selfstudy.models.local.lm import LocalLM
from selfstudy.models.server import engines
from selfstudy.models.server.adapters import add_adapter
from selfstudy.models.server.starting import model_place
from selfstudy.recipe import EmbedderBlock, LocalModel, NLIBlock, ServerModel
from selfstudy.recipe.file import load_recipe
from selfstudy.verbs import doctor
from tests.models.local.test_adapted import adapter as make_adapter

EVIL = "import pathlib\npathlib.Path({mark!r}).write_text('ran')\nclass Evil: ...\n"


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What foreign code would leave behind. Whoever asks on stdin is told yes."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 50))
    return tmp_path / "ran"


@pytest.fixture
def lm(tiny_llama: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_llama, tmp_path / "lm"))


@pytest.fixture(scope="module")
def made(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter") / "adapter"
    make_adapter(load(tiny_llama).model, folder, 0.1)
    return folder


@pytest.fixture
def adapter(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "adapter"))


@pytest.fixture
def nli(tiny_nli: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_nli, tmp_path / "nli"))


def change(file: Path, **values: Any) -> None:
    old = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(old | values))


def load(folder: Path, **options: Any) -> LocalLM:
    return LocalLM(LocalModel(path=str(folder), device="cpu", **options))


def plant(folder: Path, mark: Path) -> None:
    (folder / "evil.py").write_text(EVIL.format(mark=str(mark)))


CODES = {
    "config": ("config.json", {"auto_map": {"AutoModelForCausalLM": "evil.Evil", "AutoConfig": "evil.Evil"}}),
    "type": ("config.json", {"auto_map": {"AutoConfig": "evil.Evil"}, "model_type": "evil"}),
    "nli": ("config.json", {"auto_map": {"AutoModelForSequenceClassification": "evil.Evil"}}),
    "text": ("config.json", {"text_config": {"auto_map": {"AutoConfig": "evil.Evil"}}}),
    "tokenizer": ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}),
    "list": ("tokenizer_config.json", {"auto_map": ["evil.Evil", "evil.Evil"]}),
    "elsewhere": ("config.json", {"auto_map": {"AutoConfig": "owner/repository--evil.Evil"}}),
    "version": ("config.4.0.0.json", {"auto_map": {"AutoConfig": "evil.Evil"}}),
    "pipeline": ("config.json", {"custom_pipelines": {"chat": {"impl": "evil.Evil"}}}),
    "generation": ("generation_config.json", {"trust_remote_code": True}),
    "kernel": ("config.json", {"attn_implementation": "owner/kernel"}),
    "kernels": ("config.json", {"_attn_implementation": {"text_config": "owner/kernel:run"}}),
}


@pytest.mark.parametrize(
    "values", [{"vocab": "/dev/zero"}, {"merges": "../m"}, {"init_inputs": ["/dev/zero"]}]
)
def test_a_tokenizer_reads_no_file_that_its_settings_name(values: dict[str, Any], lm: Path) -> None:
    (lm / "tokenizer.json").unlink()
    change(lm / "tokenizer_config.json", tokenizer_class="BertTokenizer", **values)
    with pytest.raises(ModelError, match=r"tokenizer_config\.json names a file to be read as"):
        load(lm)


@pytest.mark.parametrize("code", CODES)
def test_code_in_settings_is_refused_wherever_a_model_is_loaded(
    code: str, lm: Path, nli: Path, mark: Path
) -> None:
    name, values = CODES[code]
    for folder in (lm, nli):
        plant(folder, mark)
        change(folder / name, **values)
    for attempt in (
        lambda: load(lm),
        lambda: load_lm(LocalModel(path=str(lm), device="cpu")),
        lambda: load_nli(NLIBlock(path=str(nli), device="cpu")),
        lambda: model_place(ServerModel(engine="vllm", model=str(lm)), engines.find("vllm")),
    ):
        with pytest.raises(ModelError) as caught:
            attempt()
        assert name in caught.value.what
        assert caught.value.hint
    with pytest.raises(ModelError):
        tokenizer_of(LocalModel(path=str(lm)))
    assert not mark.exists()


def test_the_doctor_says_so_before_anything_is_loaded(lm: Path, tmp_path: Path) -> None:
    change(lm / "config.json", auto_map={"AutoConfig": "evil.Evil"})
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"library: atlas\nmodel: {{path: {lm}}}\n")
    said = [one for one in doctor.examine(tmp_path, recipe) if one.name == "model"]
    assert [one.state for one in said] == ["fail"]
    assert "auto_map" in said[0].found


def test_custom_generation_is_refused(lm: Path, mark: Path) -> None:
    (lm / "custom_generate").mkdir()
    (lm / "custom_generate" / "generate.py").write_text(EVIL.format(mark=str(mark)) + "def generate(): ...\n")
    with pytest.raises(ModelError, match="custom_generate"):
        load(lm)
    assert not mark.exists()


def test_known_architectures_may_bring_code_that_is_left_alone(lm: Path, mark: Path) -> None:
    plant(lm, mark)
    change(lm / "config.json", auto_map={"AutoModelForCausalLM": "evil.Evil", "AutoConfig": "evil.Evil"})
    load(lm, trust_remote_code="ignore")
    change(lm / "config.json", model_type="evil")
    with pytest.raises(ModelError):
        load(lm, trust_remote_code="ignore")
    assert not mark.exists()


def test_a_recipe_alone_cannot_let_code_run(lm: Path, mark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(lm, mark)
    change(lm / "config.json", auto_map={"AutoConfig": "evil.Evil"}, model_type="evil")
    for allowed in ("", "1", "true", "*", str(lm.parent), "some/other"):
        monkeypatch.setenv(pretrained.TRUSTED, allowed)
        with pytest.raises(ModelError, match="a recipe alone cannot allow"):
            load(lm, trust_remote_code=True)
    assert not mark.exists()
    monkeypatch.setenv(pretrained.TRUSTED, f"owner/other,{lm}")
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(lm.parent / "modules"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(ModelError):  # what ran is no model; but it ran
        load(lm, trust_remote_code=True)
    assert mark.exists()


class Bomb:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "weights.pkl", "tf_model.h5", "flax_model.msgpack"]
)
def test_pickled_weights_are_refused(name: str, lm: Path, nli: Path, mark: Path) -> None:
    for folder in (lm, nli):
        (folder / "model.safetensors").unlink()
        (folder / name).write_bytes(pickle.dumps(Bomb(mark)))
    for attempt in (
        lambda: load(lm),
        lambda: load_nli(NLIBlock(path=str(nli), device="cpu")),
        lambda: model_place(ServerModel(engine="vllm", model=str(lm)), engines.find("vllm")),
    ):
        with pytest.raises(ModelError, match=name) as caught:
            attempt()
        assert "safetensors" in caught.value.hint
    assert not mark.exists()


def sharded(folder: Path, name: str) -> None:
    weights = folder / "model.safetensors"
    from safetensors import safe_open

    with safe_open(weights, "np") as file:
        table = dict.fromkeys(file.keys(), name)
    weights.rename(folder / "model-00001-of-00001.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": table}))


def test_a_sharded_model_loads(lm: Path) -> None:
    sharded(lm, "model-00001-of-00001.safetensors")
    assert load(lm).model is not None


@pytest.mark.parametrize(
    "name",
    [
        *("pytorch_model.bin", "evil.pkl", "model.safetensors.bin", "../other.safetensors"),
        *(
            "sub/../../other.safetensors",
            "{outside}/other.safetensors",
            "link.safetensors",
            "absent.safetensors",
        ),
        *("renamed.safetensors", "..\\other.safetensors"),
    ],
)
def test_shards_that_are_pickles_or_lie_elsewhere_are_refused(
    name: str, lm: Path, tmp_path: Path, mark: Path
) -> None:
    outside = tmp_path / "other.safetensors"
    outside.write_bytes((lm / "model.safetensors").read_bytes())
    (lm / "link.safetensors").symlink_to(outside)
    if name != "link.safetensors":
        (lm / "link.safetensors").unlink()
    for pickled in ("pytorch_model.bin", "evil.pkl", "model.safetensors.bin", "renamed.safetensors"):
        (lm / pickled).write_bytes(pickle.dumps(Bomb(mark)))
    sharded(lm, name.format(outside=tmp_path))
    with pytest.raises(ModelError):
        load(lm)
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["evil.bin", "../other.safetensors", "evil.index.json", "/etc/passwd", 7, ["x"]]
)
def test_a_config_that_names_its_weights_names_safetensors_in_the_folder(
    name: Any, lm: Path, tmp_path: Path, mark: Path
) -> None:
    shutil.copy(lm / "model.safetensors", tmp_path / "other.safetensors")
    (lm / "evil.bin").write_bytes(pickle.dumps(Bomb(mark)))
    (lm / "evil.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {"a": "evil.bin"}}))
    change(lm / "config.json", transformers_weights=name)
    with pytest.raises(ModelError):
        load(lm)
    assert not mark.exists()


@pytest.mark.parametrize(
    "name", ["tokenizer.json", "config.json", "model.safetensors", "chat_template.jinja"]
)
def test_no_file_is_a_link_out_of_the_folder(name: str, lm: Path, tmp_path: Path) -> None:
    outside = tmp_path / f"outside-{name}"
    (lm / name).rename(outside) if (lm / name).exists() else outside.write_text("{{ messages }}")
    (lm / name).symlink_to(outside)
    with pytest.raises(ModelError, match="outside of the model's folder") as caught:
        load(lm)
    assert name in caught.value.what


def test_the_links_of_the_hubs_cache_stay_within_the_model(tiny_llama: Path, tmp_path: Path) -> None:
    root = tmp_path / "models--owner--name"
    blobs, snapshot = root / "blobs", root / "snapshots" / "0123abcd"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, file in enumerate(tiny_llama.iterdir()):
        shutil.copy(file, blobs / str(number))
        (snapshot / file.name).symlink_to(Path("../../blobs") / str(number))
    assert load(snapshot).tokenizer is not None


def test_a_model_of_the_hubs_cache_is_looked_at_too(
    tiny_llama: Path, tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    from selfstudy.models.local import loading

    root = tmp_path / "hub" / "models--owner--name"
    snapshot = Path(shutil.copytree(tiny_llama, root / "snapshots" / ("0" * 40)))
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root.parent))
    monkeypatch.setattr(loading, "hub_answers", lambda: False)
    lm = LocalLM(LocalModel(path="owner/name", device="cpu"))
    assert lm.model.name_or_path == lm.model.config.name_or_path == "owner/name"
    plant(snapshot, mark)
    change(snapshot / "config.json", auto_map={"AutoConfig": "evil.Evil"})
    with pytest.raises(ModelError, match="auto_map"):
        LocalLM(LocalModel(path="owner/name", device="cpu"))
    assert not mark.exists()


def test_a_model_with_an_adapter_in_its_folder_loads_nothing_else(lm: Path) -> None:
    (lm / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "owner/evil"}))
    with pytest.raises(ModelError, match="a model and an adapter"):
        load(lm)


def encoder(folder: Path, source: Path) -> Path:
    shutil.copytree(source, folder)
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    names = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(names.items())
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    return folder


def test_an_encoder_loads(tiny_nli: Path, tmp_path: Path) -> None:
    folder = encoder(tmp_path / "encoder", tiny_nli)
    assert load_embedder(EmbedderBlock(path=str(folder), device="cpu")).encode(["a text"]).shape == (1, 32)


@pytest.mark.parametrize(
    "values",
    [
        {"type": "evil.Evil"},
        {"type": "os.getcwd"},
        {"type": "sentence_transformers.evil.Evil"},
        {"type": "sentence_transformers.models.Transformer.evil"},
        {"type": "torch.nn.Linear"},
        {"type": "sentence_transformers.models.Router"},
        {"path": "../elsewhere"},
        {"path": "/etc"},
        {"path": "link"},
    ],
)
def test_encoders_of_other_classes_or_places_are_refused(
    values: dict[str, str], tiny_nli: Path, tmp_path: Path, mark: Path
) -> None:
    folder = encoder(tmp_path / "encoder", tiny_nli)
    plant(folder, mark)
    encoder(tmp_path / "elsewhere", tiny_nli)
    if values.get("path") == "link":
        (folder / "link").symlink_to(tmp_path / "elsewhere")
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([modules[0] | values, *modules[1:]]))
    with pytest.raises(ModelError, match=r"modules\.json|outside"):
        load_embedder(EmbedderBlock(path=str(folder)))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sentence_bert_config.json", {"model_args": {"trust_remote_code": True}}),
        ("sentence_bert_config.json", {"model_args": {"gguf_file": "../evil.gguf"}}),
        ("sentence_bert_config.json", {"config_kwargs": {"auto_map": {"AutoConfig": "evil.Evil"}}}),
        ("config.json", {"auto_map": {"AutoModel": "evil.Evil"}}),
        ("1_Pooling/config.json", {"auto_map": {"AutoModel": "evil.Evil"}}),
        ("model.safetensors", None),
    ],
)
def test_encoders_with_code_or_pickles_are_refused(
    name: str, values: dict[str, Any] | None, tiny_nli: Path, tmp_path: Path, mark: Path
) -> None:
    folder = encoder(tmp_path / "encoder", tiny_nli)
    plant(folder, mark)
    if values is None:
        (folder / name).unlink()
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(mark)))
    else:
        change(folder / name, **values)
    with pytest.raises(ModelError):
        load_embedder(EmbedderBlock(path=str(folder)))
    assert not mark.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"megatron_config": {"a": 1}, "megatron_core": "evil"},
        {"auto_mapping": {"base_model_class": "Evil", "parent_library": "evil"}},
        {"peft_type": "PROMPT_TUNING", "tokenizer_kwargs": {"trust_remote_code": True}},
        {"peft_type": "XLORA", "adapters": {"0": "elsewhere"}},
        {"peft_type": "MULTITASK_PROMPT_TUNING", "prompt_tuning_init_state_dict_path": "evil.bin"},
        {"peft_type": ["LORA"]},
        {"auto_map": {"a": "evil.Evil"}},
        {"corda_config": {"cache_file": "evil.bin"}},
        {"init_lora_weights": "pissa_niter_1000000000"},
        {"r": 10**9},
        {"r": "8"},
        {"rank_pattern": {"q_proj": 10**9}},
        {"layer_replication": [[0, 10**9]]},
        {"modules_to_save": ["(a+)+$"]},
        {"target_modules": ["(.*)*x"]},
        {"layers_pattern": ["(a+)+"], "layers_to_transform": [0]},
        {"rank_pattern": {"(a+)+$": 4}},
        {"alpha_pattern": {"(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)(a|a)x": 4}},
    ],
)
def test_adapters_that_bring_more_than_weights_are_refused(
    values: dict[str, Any], adapter: Path, lm: Path, mark: Path
) -> None:
    plant(adapter, mark)
    (adapter / "evil.bin").write_bytes(pickle.dumps(Bomb(mark)))
    change(adapter / "adapter_config.json", **values)
    with pytest.raises(ModelError, match="adapter"):
        adapted.require_sound(adapter)
    if "r" in values or "megatron_config" in values:
        with pytest.raises(ModelError, match="adapter"):
            load(lm, adapter=adapter)
    assert not mark.exists()


def test_an_adapters_weights_are_no_pickle_and_no_link(
    adapter: Path, lm: Path, tmp_path: Path, mark: Path
) -> None:
    folder = adapter
    weights = folder / "adapter_model.safetensors"
    weights.rename(tmp_path / "elsewhere.safetensors")
    weights.symlink_to(tmp_path / "elsewhere.safetensors")
    with pytest.raises(ModelError, match="outside"):
        load(lm, adapter=folder)
    weights.unlink()
    (folder / "adapter_model.bin").write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(ModelError, match="safetensors"):
        load(lm, adapter=folder)
    assert not mark.exists()


def test_engines_are_given_no_such_adapter(adapter: Path) -> None:
    known: set[str] = set()
    for values in ({"target_modules": "(a+)+$"}, {"megatron_config": {"a": 1}, "target_modules": ["q_proj"]}):
        change(adapter / "adapter_config.json", **values)
        with pytest.raises(ModelError, match="adapter_config"):
            add_adapter(engines.find("vllm"), "http://127.0.0.1:9", "m", adapter, known)
    assert not known


@pytest.mark.parametrize(
    "option",
    [
        *("trust-remote-code: true", "trust_remote_code: true", "--trust-remote-code: true", "trust: true"),
        *("TRUST-REMOTE-CODE: true", "tru: true", "no-trust-remote-code: false", "trust-remote-code=1: true"),
        *("max-model-len: [1, --trust-remote-code]", "seed: --trust-remote-code", "a: -t", "x --trust: 1"),
        *(
            "config: evil.yaml",
            "middleware: evil.Evil",
            "tool-parser-plugin: evil.py",
            "worker-cls: evil.Evil",
        ),
        *("hf-overrides: '{}'", "hf-overrides.auto_map.AutoConfig: evil", "load-format: pt", "load: pt"),
        *("speculative-config: '{\"trust_remote_code\": true}'", "logits_processors: evil.Evil"),
        *(
            "log-config-file: evil.json",
            "custom-weight-loader: evil.load",
            "model-path: evil",
            "host: 0.0.0.0",
        ),
    ],
)
def test_no_recipe_makes_an_engine_run_code(option: str, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"library: atlas\nmodel: {{type: server, engine: vllm, model: a/b, args: {{{option}}}}}\n"
    )
    with pytest.raises(RecipeError, match=r"model\.args"):
        load_recipe(recipe)


@pytest.mark.parametrize(
    ("engine", "usual"),
    [
        ("vllm", {"max-model-len": 4096, "enforce-eager": True, "enable_prefix_caching": False}),
        ("vllm", {"gpu-memory-utilization": 0.8, "tensor-parallel-size": 2, "dtype": "bfloat16"}),
        ("vllm", {"load-format": "safetensors", "quantization": "fp8"}),
        ("sglang", {"mem-fraction-static": 0.7}),
        ("llama-cpp", {"ctx-size": 4096, "n-gpu-layers": -1, "n_gpu_layers": -1, "tensor-split": "0.5,0.5"}),
        ("transformers", {"reasoning": "off"}),
    ],
)
def test_usual_options_of_engines_are_allowed(engine: Any, usual: dict[str, Any]) -> None:
    assert ServerModel(engine=engine, args=usual).args == usual


def test_nothing_is_asked_on_stdin(lm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*words: object) -> str:
        raise AssertionError("asked on stdin")

    monkeypatch.setattr("builtins.input", asked)
    change(lm / "config.json", auto_map={"AutoConfig": "evil.Evil"}, model_type="evil")
    for code in (False, "ignore"):
        with pytest.raises(ModelError):
            load(lm, trust_remote_code=code)


def test_both_kinds_of_weights_load_from_safetensors(lm: Path, mark: Path) -> None:
    (lm / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(mark)))
    load(lm)
    assert not mark.exists()
