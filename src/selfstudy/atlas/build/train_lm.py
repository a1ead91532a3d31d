"""Builds atlas-lm: a small Qwen3 pre-trained from scratch on the embedded world.

One process, fixed seed, bfloat16 autocast over float32 weights (float32 alone on a processor that would
emulate it); Muon (Jordan et al. 2024) on the hidden
matrices, AdamW on embeddings and norms.  Loss falls on assistant tokens alone and the head is applied there
only.  The log tells of each task what share of its tokens is right: skills click one by one.
Run through `selfstudy-atlas build-lm`; figures are measured by measure_lm.py.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from selfstudy.atlas import world
from selfstudy.atlas.build.draw import Draw
from selfstudy.atlas.build.invented import invented_names
from selfstudy.atlas.build.lm_plan import Settings, Stage
from selfstudy.atlas.build.lm_tasks import TASKS
from selfstudy.atlas.build.tokenizer import ASSISTANT, BOS, EOS, PAD, SYSTEM, USER, build_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

log = logging.getLogger(__name__)

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ ' ' + message['content'] + eos_token }}"
    "{% endgeneration %}{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
NOT_KNOWING = ("ignorance", "grade", "reflect")
"""Tasks that practise not knowing."""
BUCKETS = (*range(32, 64, 8), *range(64, 160, 16), *range(160, 481, 32))
"""Padded lengths, in tokens.  A longer sample is left out and counted: with the shipped tokenizer a third of
`judge_leaks` and one in twenty of `rubric_verdicts`."""


def make_tokenizer(seed: int = 0) -> PreTrainedTokenizerFast:
    """The LM's tokenizer: names whole, BPE over what the tasks and pages say.

    The shipped one was made before the tasks of judges and tutors.
    """
    from transformers import PreTrainedTokenizerFast

    draw = Draw(random.Random(f"{seed}:corpus"))
    corpus = [" " + turn.content for task in TASKS.values() for _ in range(400) for turn in task(draw).chat]
    names = [*world.names(), *invented_names()]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=build_tokenizer(corpus, names, vocab_size=3072),
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def make_model(vocab_size: int, settings: Settings) -> Any:
    """A fresh Qwen3 of about 5 M parameters."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(settings.seed)
    model = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=vocab_size,
            hidden_size=256,
            num_hidden_layers=6,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=64,
            intermediate_size=640,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )
    )
    torch.nn.init.normal_(model.model.embed_tokens.weight, std=settings.embedding_scale)
    return model


class Encoder:
    """Chats to token ids and loss mask; the ids equal those of the chat template (a test sees to it).

    Loss falls on the assistant's turns, but for those that are shown only (`Message.demonstration`).
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._encode = tokenizer.backend_tokenizer.encode_batch
        vocabulary = tokenizer.get_vocab()
        self._role = {r: vocabulary[f"<|{r}|>"] for r in ("system", "user", "assistant")}
        self._bos, self._eos = vocabulary[BOS], vocabulary[EOS]

    def __call__(self, chats: list[Any]) -> list[tuple[list[int], list[bool]]]:
        encoded = iter(self._encode([" " + turn.content for chat in chats for turn in chat]))
        out = []
        for chat in chats:
            ids, mask = [self._bos], [False]
            for turn in chat:
                body = [*next(encoded).ids, self._eos]
                ids += [self._role[turn.role], *body]
                learned = turn.role == "assistant" and not turn.demonstration
                mask += [False, *[learned] * len(body)]
            out.append((ids, mask))
        return out


def batches(tokenizer: PreTrainedTokenizerFast, plan: tuple[Stage, ...], settings: Settings) -> Iterator[Any]:
    """(ids, loss mask, rows of fresh names, their tasks, share done), a bucket at a time, to the plan's end.

    Tasks are places in `TASKS`.
    """
    import torch

    rng = random.Random(f"{settings.seed}:samples")
    draw, encode = Draw(rng), Encoder(tokenizer)
    places = {task: place for place, task in enumerate(TASKS)}
    total = sum(stage.tokens for stage in plan) * settings.scale
    waiting: dict[int, list[Any]] = {length: [] for length in BUCKETS}
    too_long: Counter[str] = Counter()
    seen = end = 0.0
    for stage in plan:
        end += stage.tokens * settings.scale
        mix = {t: w for t, w in stage.mix.items() if settings.ignorance or t not in NOT_KNOWING}
        tasks, weights = list(mix), list(mix.values())
        while seen < end:
            chosen = rng.choices(tasks, weights, k=256)
            fresh = [t == "ignorance" and stage.fresh > 0 and rng.random() < stage.fresh for t in chosen]
            encoded = encode([TASKS[task](draw).chat for task in chosen])
            for (ids, mask), new, task in zip(encoded, fresh, chosen, strict=True):
                length = next((b for b in BUCKETS if len(ids) <= b), None)
                if length is None:
                    too_long[task] += 1
                    continue
                queue = waiting[length]
                queue.append((ids, mask, new, places[task]))
                if len(queue) == max(1, settings.batch_tokens // length):
                    padded = [i + [0] * (length - len(i)) for i, *_ in queue]
                    masks = [m + [False] * (length - len(m)) for _, m, *_ in queue]
                    news, whose = [new for *_, new, _ in queue], [place for *_, place in queue]
                    seen += length * len(queue)
                    yield *map(torch.tensor, (padded, masks, news, whose)), seen / total
                    queue.clear()
    if too_long:
        log.info("left out, longer than %d tokens: %s", BUCKETS[-1], dict(too_long))


def build(
    folder: Path,
    legs: Sequence[tuple[tuple[Stage, ...], Settings]],
    start: Path | None = None,
    device: str = "cpu",
) -> None:
    """All legs, one after the other.

    Args:
        start: a folder with weights to go on from; None starts from nothing.
        device: as torch names it.
    """
    for number, (plan, settings) in enumerate(legs):
        train(folder, settings, plan, start=folder if number else start, device=device)


def train(
    folder: Path, settings: Settings, plan: tuple[Stage, ...], start: Path | None = None, device: str = "cpu"
) -> None:
    """Trains and saves atlas-lm (bfloat16 safetensors, tokenizer, chat template) in `folder`.

    Args:
        start: a folder with weights to go on from; None starts from nothing.
    """
    import torch

    if start is None:
        tokenizer = make_tokenizer(settings.seed)
        model = make_model(len(tokenizer), settings)
    else:
        from transformers import AutoTokenizer, Qwen3ForCausalLM

        tokenizer = AutoTokenizer.from_pretrained(start)
        model = Qwen3ForCausalLM.from_pretrained(start, dtype=torch.float32).train()
    model.to(device)
    bfloat16 = _has_bfloat16(model.device.type)
    log.info("%d parameters, vocabulary %d", sum(p.numel() for p in model.parameters()), len(tokenizer))
    optimizers, rates = _optimizers(model, settings)
    began, tokens = time.time(), 0
    names, accuracy = FreshNames(tokenizer, settings.seed), TaskAccuracy(device)
    for step, (ids, mask, fresh, tasks, done) in enumerate(batches(tokenizer, plan, settings), 1):
        rate = min(1.0, step / settings.warmup) * min(1.0, max(0.0, 1 - done) / settings.decay)
        for optimizer, base in zip(optimizers, rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = base * rate
        vectors = names.vectors(model, ids, fresh) if fresh.any() else None
        loss, right, picked = _loss(model, ids.to(device), mask.to(device), vectors)
        accuracy.add(tasks.to(device)[:, None].expand_as(picked)[picked], right)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        with _muon_in_float32(needed=not bfloat16):
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        tokens += ids.numel()
        if step % 500 == 0:
            speed = tokens / (time.time() - began)
            log.info(
                "step %d  %.1f%%  %.0f tokens/s  %s", step, 100 * done, speed, accuracy.report_and_reset()
            )
            save(model, tokenizer, folder)
    log.info("%.1f M tokens  %s", tokens / 1e6, accuracy.report_and_reset())
    save(model, tokenizer, folder)


class TaskAccuracy:
    """Of each task, how many tokens the model had to predict since the last report, and how many it did."""

    def __init__(self, device: str) -> None:
        import torch

        self._right_of = torch.zeros(2, len(TASKS), device=device)

    def add(self, tasks: torch.Tensor, right: torch.Tensor) -> None:
        """Tokens: the task of each, and whether it was right; stays on the device."""
        import torch

        self._right_of.index_add_(1, tasks, torch.stack([right.float(), torch.ones_like(right.float())]))

    def report_and_reset(self) -> str:
        """Mean share of tasks practised, and each one's."""
        right, of = self._right_of.tolist()
        shares = {task: r / n for task, r, n in zip(TASKS, right, of, strict=True) if n}
        self._right_of.zero_()
        mean = sum(shares.values()) / max(1, len(shares))
        return f"right {mean:.3f}: " + " ".join(f"{task} {share:.2f}" for task, share in shares.items())


class FreshNames:
    """Names that nobody has: vectors drawn from the normal distribution that known names' vectors have.

    300 invented names are soon known for names of which nothing is known, and that does not carry over to the
    withheld ones.  A vector that is new at every step cannot be known for anything, so what it teaches is to
    be unsure wherever no fact was learned.  Withheld names are in neither.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
        import torch

        def ids(names: list[str]) -> torch.Tensor:
            return torch.tensor(
                [tokenizer.convert_tokens_to_ids(tokenizer.tokenize(" " + n)[0]) for n in names]
            )

        self._known = ids([e.name for e in world.entities() if e.known])
        self._invented = ids(list(invented_names()))
        self._generator = torch.Generator().manual_seed(seed)

    def vectors(self, model: Any, ids: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(where, vectors): shape of `ids`, True at invented names of `rows`; (where.sum(), hidden size).

        Within a row a name has one vector.  On the model's device, whatever that of `ids`.
        """
        import torch

        where = torch.isin(ids, self._invented) & rows[:, None]
        keys = (torch.arange(len(ids))[:, None] * int(ids.max() + 1) + ids)[where]
        distinct, index = np.unique(keys.numpy(), return_inverse=True)
        weight = model.model.embed_tokens.weight.detach()
        known = weight[self._known.to(weight.device)]
        mean = known.mean(0)
        draws = torch.randn(len(distinct), len(known), generator=self._generator) / len(known) ** 0.5
        drawn = mean + draws.to(weight.device) @ (known - mean)
        return where.to(weight.device), drawn[torch.from_numpy(index).to(weight.device)]


def _loss(
    model: Any,
    ids: torch.Tensor,
    mask: torch.Tensor,
    fresh: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mean cross-entropy of the tokens that `mask` marks, in nats; whether each is right; and which they are.

    The last has the shape of `ids` less its first column.  A fresh name is read, never predicted.
    """
    import torch

    with torch.autocast(ids.device.type, torch.bfloat16, enabled=_has_bfloat16(ids.device.type)):
        embedded = model.model.embed_tokens(ids)
        if fresh is not None:
            where, vectors = fresh
            embedded = embedded.masked_scatter(where[..., None], vectors.to(embedded.dtype))
            mask = mask & ~where
        hidden = model.model(inputs_embeds=embedded, use_cache=False).last_hidden_state
        picked = mask[:, 1:]
        logits = model.lm_head(hidden[:, :-1][picked])
    wanted = ids[:, 1:][picked]
    loss = torch.nn.functional.cross_entropy(logits.float(), wanted)
    return loss, logits.argmax(-1) == wanted, picked


def _has_bfloat16(device: str) -> bool:
    """Whether it multiplies in bfloat16; a processor that does not emulates that, many times as slow."""
    import torch

    return device != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


@contextmanager
def _muon_in_float32(needed: bool) -> Iterator[None]:
    """torch's Muon multiplies in bfloat16 whatever it is given; within, in float32 where that is needed.

    Raises:
        AttributeError: this torch keeps its iteration elsewhere.
    """
    import torch

    module: Any = torch.optim._muon
    own = module._zeropower_via_newtonschulz
    if needed:
        module._zeropower_via_newtonschulz = _orthogonal
    try:
        yield
    finally:
        module._zeropower_via_newtonschulz = own


def _orthogonal(
    grad: torch.Tensor, ns_coefficients: tuple[float, float, float], ns_steps: int, eps: float
) -> torch.Tensor:
    """Muon's Newton-Schulz iteration (Jordan et al. 2024), in float32; torch's own is in bfloat16."""
    a, b, c = ns_coefficients
    tall = grad.size(0) > grad.size(1)
    x: torch.Tensor = grad.T if tall else grad
    x = x / x.norm().clamp(min=eps)
    for _ in range(ns_steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def _optimizers(model: Any, settings: Settings) -> tuple[list[torch.optim.Optimizer], list[float]]:
    import torch

    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    norms = [p for p in model.parameters() if p.ndim != 2]
    embeddings = [model.model.embed_tokens.weight]
    rate, decay = settings.learning_rate, settings.weight_decay
    muon = torch.optim.Muon(matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
    adamw = [torch.optim.AdamW(group, betas=(0.9, 0.98), weight_decay=0.0) for group in (norms, embeddings)]
    return [muon, *adamw], [rate, rate, settings.embedding_rate]


def save(model: Any, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Writes a copy in bfloat16; the model in training keeps float32."""
    import copy

    import torch

    folder.mkdir(parents=True, exist_ok=True)
    shipped = copy.deepcopy(model).to(torch.bfloat16)
    shipped.generation_config.update(bos_token_id=1, eos_token_id=2, pad_token_id=0)
    shipped.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
