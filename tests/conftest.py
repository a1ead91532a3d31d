"""Small random models as folders on disk, made once per session: no network, no shipped weights needed."""

from __future__ import annotations

import gc
import shutil
import signal
import subprocess
from collections.abc import Callable, Generator, Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from typer import testing

testing._get_command = cache(testing._get_command)  # the same each time, and dearer than many a verb
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
# a job in the background of a shell ignores these, and so does what it starts: tests that send them need them
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What a test leaves is looked for among what tests made, not among the million objects that stay.

    Each training that ends has the garbage collected: it would go through PyTorch's modules, too.
    """
    gc.disable()
    found = yield
    gc.freeze()
    gc.enable()
    return found


TEXT = (
    "System: You are a student who is eager to learn. User: What is the capital of France? Assistant: Paris "
    "is the capital of France. The Danube flows through Vienna, Budapest and Belgrade. "
    "Answer in one concise sentence."
)
TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|> {{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
MODELS = ("gpt2", "llama", "qwen3", "gemma", "mamba")


def make_tokenizer(template: str | None = None, pad: bool = True) -> Any:
    """A byte-level BPE of about 400 tokens: encodes any text; no bos."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator([TEXT] * 2, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")
    if pad:
        fast.pad_token = "<pad>"
    if template:
        fast.chat_template = template
    return fast


def make_lm(kind: str, folder: Path, *, template: str | None = None, seed: int = 0) -> Path:
    """A random causal model of architecture `kind`, with opinions (logits spread by 2), in `folder`."""
    import torch
    import transformers as tf

    tokenizer = make_tokenizer(template, pad=kind not in {"gpt2", "mamba"})
    common: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
        "pad_token_id": None,
        "initializer_range": 0.2,
    }
    attention: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 48,
        "max_position_embeddings": 256,
    }
    configs: dict[str, Callable[[], Any]] = {
        "gpt2": lambda: tf.GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=256, **common),
        "llama": lambda: tf.LlamaConfig(**attention, **common),
        "qwen3": lambda: tf.Qwen3Config(**attention, tie_word_embeddings=True, **common),
        # with heads of 128, which is all that transformers makes of a GGUF file, and room for demonstrations
        "qwen3-gguf": lambda: tf.Qwen3Config(
            **attention | {"head_dim": 128, "max_position_embeddings": 2048},
            tie_word_embeddings=True,
            **common,
        ),
        "gemma": lambda: tf.Gemma3TextConfig(
            **attention, sliding_window=16, layer_types=["sliding_attention", "full_attention"], **common
        ),
        "mamba": lambda: tf.MambaConfig(hidden_size=32, num_hidden_layers=2, state_size=4, **common),
        "mixtral": lambda: tf.MixtralConfig(num_local_experts=4, **attention, **common),
        "rwkv": lambda: tf.RwkvConfig(hidden_size=32, num_hidden_layers=2, **common),
    }
    torch.manual_seed(seed)
    model = tf.AutoModelForCausalLM.from_config(configs[kind]()).eval()
    with torch.no_grad():  # initialisation differs between architectures; tests need clear, not flat, choices
        probe = torch.randint(5, len(tokenizer), (4, 20))
        for _ in range(4):
            model.get_output_embeddings().weight.mul_(2.0 / model(probe).logits.std())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_nli(
    kind: str,
    folder: Path,
    labels: tuple[str, ...] = ("contradiction", "neutral", "entailment"),
    positions: int = 128,
) -> Path:
    """A random NLI classifier ("bert" or "deberta") in `folder`, which reads so many tokens."""
    import torch
    import transformers as tf

    tokenizer = make_tokenizer()
    common: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": positions,
        "type_vocab_size": 2 if kind == "bert" else 0,
        "initializer_range": 0.3,
        "pad_token_id": tokenizer.pad_token_id,
        "id2label": dict(enumerate(labels)),
        "label2id": {label: i for i, label in enumerate(labels)},
    }
    torch.manual_seed(0)
    if kind == "bert":
        model = tf.BertForSequenceClassification(tf.BertConfig(**common))
    else:
        model = tf.DebertaV2ForSequenceClassification(
            tf.DebertaV2Config(relative_attention=True, pos_att_type=["p2c", "c2p"], **common)
        )
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _no_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What is made once for all tests does not see the user's data folder either."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SELFSTUDY_HOME", str(tmp_path_factory.getbasetemp() / "home" / "session"))
        yield


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has a data folder of its own: no calibration of the user or of another test is seen."""
    folder = tmp_path_factory.getbasetemp() / "home" / str(next(_HOMES))
    monkeypatch.setenv("SELFSTUDY_HOME", str(folder))
    return folder


_HOMES = count()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Gives the folder of a random model by kind ("llama", "gpt2", ... or "bert", "deberta"); made once."""
    made: dict[tuple[Any, ...], Path] = {}

    def get(kind: str, template: str | None = None) -> Path:
        if (kind, template) not in made:
            folder = tmp_path_factory.mktemp(kind)
            if kind in {"bert", "deberta"}:
                make_nli(kind, folder)
            else:
                make_lm(kind, folder, template=template)
            made[kind, template] = folder
        return made[kind, template]

    return get


@pytest.fixture(scope="session")
def tiny_llama(model_folder: Callable[..., Path]) -> Path:
    """A random Llama with a chat template."""
    return model_folder("llama", TEMPLATE)


@pytest.fixture(scope="session")
def mixture(model_folder: Callable[..., Path]) -> Path:
    """A random mixture of experts, whose experts are one tensor a layer, with a chat template."""
    return model_folder("mixtral", TEMPLATE)


@pytest.fixture(scope="session")
def tiny_nli(model_folder: Callable[..., Path]) -> Path:
    """A random three-class BERT NLI model."""
    return model_folder("bert")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cert.pem and key.pem of a server called localhost that signs for itself."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    make = (
        f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout {folder}/key.pem "
        f"-out {folder}/cert.pem -addext subjectAltName=DNS:localhost"
    )
    subprocess.run(make.split(), check=True, capture_output=True)
    return folder
