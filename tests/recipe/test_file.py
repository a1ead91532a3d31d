"""Recipes from YAML and overrides: what is accepted, and what a person reads when it is not."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfstudy.errors import RecipeError
from selfstudy.recipe import FolderSource, LocalModel, Recipe
from selfstudy.recipe.file import changed_keys, load_recipe, parse_recipe, read_yaml, recipe_digest, to_yaml

EXAMPLES = Path(__file__).parents[2] / "examples"


def write(folder: Path, text: str) -> Path:
    path = folder / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path | None, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    message = str(caught.value)
    assert len(message.splitlines()) < 24, "more than one screen"
    return message


def test_yaml_then_overrides(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "library: atlas\nprobe: {samples: 20, threshold: 0.4}\nteach: {sft: {learning_rate: 2e-3}}\n",
    )
    recipe = load_recipe(path, ["probe.samples=5", "teach.lora.target_modules=[q_proj, v_proj]", "seed=7"])
    assert (recipe.probe.samples, recipe.probe.threshold, recipe.seed) == (5, 0.4, 7)
    assert recipe.teach.sft.learning_rate == 0.002  # YAML 1.1 reads 2e-3 as text; a recipe may still say it
    assert recipe.teach.lora.target_modules == ("q_proj", "v_proj")


def test_an_override_reaches_into_a_list_given_or_default(tmp_path: Path) -> None:
    path = write(
        tmp_path, "library: atlas\nprobe: {ask: [{method: open, count: 10}, {method: induced, count: 20}]}\n"
    )
    assert [a.count for a in load_recipe(path, ["probe.ask.1.count=50"]).probe.ask] == [10, 50]
    default = load_recipe(None, ["library=atlas", "probe.ask.0.count=50"]).probe.ask
    assert [(a.method, a.count) for a in default] == [("documents", 50)]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("probe.treshold=0.4", "probe.treshold: unknown key; did you mean probe.threshold?"),
        ("threshold=0.4", "threshold: unknown key; did you mean probe.threshold?"),
        ("probe.ask.0.cuont=3", "probe.ask.0.cuont: unknown key; did you mean probe.ask.0.count?"),
        ("model.pth=x", "model.pth: unknown key; did you mean model.path?"),
        ("zebra=1", "known here: model, judge"),
        ("probe.threshold=1.5", "probe.threshold = 1.5: must be less than or equal to 1"),
        ("probe.samples=many", 'probe.samples = "many": must be a valid integer'),
        (
            "teach.method=rlhf",
            "teach.method = \"rlhf\": must be 'sft', 'sft+dpo', 'dpo', 'distill', 'socratic', "
            "'online-dpo', 'rejection', 'ppo', 'grpo', 'rejection+ppo' or 'rejection+grpo'",
        ),
        ("model.type=magic", "model.type = \"magic\": must be one of 'local', 'scripted'"),
        ("model={type: scripted}", "model.path: missing"),
        ("probe=3", "probe = 3: must be a block"),
        ("probe.ask.4.count=1", "probe.ask has no item '4'; it has 1"),
        ("seed.x=1", "seed"),
        ("samples", "not of the form key=value"),
        ("=3", "not of the form key=value"),
        ("probe..samples=3", "not of the form key=value"),
        ("prompts=[", "not YAML"),
        ("probe.ask=[]", "probe.ask is empty"),
        ("library=null", "needs a library"),
        ("library=./no-such-folder", "no-such-folder"),
        ("prompts=./no-such-folder", "prompts: no folder at"),
        ("probe.ask=[{method: external, count: 3}]", "needs probe.ask.0.source"),
        ("probe.ask=[{method: oracle, count: 3, source: ./none}]", "probe.ask.0.source: no file at"),
        ("probe.ask=[{method: oracle, count: 3, source: '-'}]", "only the method external reads stdin"),
        ("probe.ask=[{method: open, count: 3, questions: true}]", "only the method external takes questions"),
        ("probe.ask=[{method: external, count: 3, source: ./none.txt}]", "probe.ask.0.source: no file at"),
        ("teach.lora.target_modules=[1]", "teach.lora.target_modules"),
        ("probe.samples=0", "probe.samples = 0: the scorer selfcheck-nli needs 1 or more"),
        ("probe={samples: 1, scorer: p-true, compare: [semantic-entropy]}", "semantic-entropy needs 2"),
        ("probe.ask=[{method: documents, count: 3, source: .}]", "the method documents reads no source"),
        (
            "probe.ask=[{method: external, count: 3, source: -}, {method: external, count: 3, source: -}]",
            "probe.ask.1.source = -: stdin can be read once",
        ),
        ("probe.ask.0.count=99999999", "probe.ask.0.count = 99999999: at most 10,000,000"),
        ("library=''", "library is empty"),
        ("answer_key=' '", "answer_key is empty"),
        ("model=atlas", 'model = "atlas": must be a block of key: value lines'),
        ("model={type: remote, model: x, path: y}", "model.path: unknown key; known here: type, model"),
        ("model={type: remote, model: x, adaptor: y}", "model.adaptor: unknown key; known here: type, model"),
        ("model.path=tiny.gguf", "model.path: no model file at"),
        ("teach.known_heldout=0", "teach.known_heldout = 0"),
        ("teach={refuse_unverifiable: true, refusals: {heldout: 0}}", "teach.refusals.heldout = 0"),
        ("teach={refuse_unverifiable: true, method: online-dpo}", "refuse_unverifiable: no phase trains on"),
        ("teach.refusals.share=0", "teach.refusals.share = 0: must be greater than 0"),
        ("teach.phases=[{type: online-dpo, judge: judge}]", "judge = judge: name one with `judge`"),
        ("teach.phases=[{type: online-dpo, prompts: none.jsonl}]", "prompts: no file at"),
        (
            "teach.online_dpo.penalty_alpha=1.1",
            "teach.online_dpo.penalty_alpha = 1.1: must be less than or equal",
        ),
        (
            "teach.online_dpo.penalty_alpha=.6",
            "teach.online_dpo.top_k = 0: penalty_alpha = 0.6 chooses among",
        ),
        ("teach.phases=[{type: online-dpo, penalty_alpha: .6, top_k: 1}]", "top_k = 1: penalty_alpha = 0.6"),
        ("teach.phases=[{type: online-dpo, penalty_alpha: .6, top_k: 65}]", "give 64 or fewer"),
        ("teach.finetuning=qlora", "must be 'lora' or 'full'"),
        ("verify={nli: none}", "verify.nli = none: teach trains to cite"),
        ("verify.nli={path: x, type: some}", "verify.nli"),
        ("verify.citing.documents=0", "verify.citing.documents = 0: must be greater than or equal to 1"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(override: str, message: str) -> None:
    cites = ["teach.method=rejection"] if message.endswith("trains to cite") else []
    assert message in refusal(None, "library=atlas", override, *cites)


def test_a_router_never_comes_to_a_refusal() -> None:
    """What no adapter was taught is answered by the model as it came."""
    said = refusal(None, "library=atlas", "deploy=dynamic", "teach.refuse_unverifiable=true")
    assert "teach.refuse_unverifiable: with deploy = dynamic" in said
    assert load_recipe(None, ["library=atlas", "deploy=adapter", "teach.refuse_unverifiable=true"])


def test_a_model_without_a_type_is_a_local_one() -> None:
    model = load_recipe(None, ["library=atlas", "model={path: org/name}"]).model
    assert model == LocalModel(path="org/name")


def test_all_problems_are_listed_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "libary: x\nprobe: {threshold: 2, samples: -1}\nverify: {marign: 0.1}\n")
    message = refusal(path)
    assert "4 problems" in message
    for part in (
        "libary",
        "did you mean library?",
        "probe.threshold = 2",
        "probe.samples = -1",
        "verify.margin?",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"# only a comment\n", "is empty"),
        (b"- a\n- b\n", "a list"),
        (b"just text", "a str"),
        (b"a: [1, 2", "not YAML"),
        (b"\xff\xfe\x00bad", "not YAML"),
        (b"a: !!python/object/apply:os.system [echo]", "not YAML"),
        (b"[" * 50_000, "not YAML"),
    ],
)
def test_a_file_that_is_no_recipe(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    assert message in refusal(path)


def test_no_file_at_all(tmp_path: Path) -> None:
    assert "cannot read" in refusal(tmp_path / "nothing.yaml")
    assert "cannot read" in refusal(tmp_path)


def folder_of(recipe: Recipe) -> str:
    """The one folder of its library."""
    assert recipe.library is not None
    (source,) = recipe.library.sources
    assert isinstance(source, FolderSource)
    return source.path


def test_paths_resolve_against_the_recipe_and_overrides_against_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home / "docs", home / "prompts", home / "tiny", elsewhere / "docs"):
        folder.mkdir(parents=True)
    (home / "topics.txt").write_text("rivers")
    path = write(
        home,
        "model: {path: tiny}\nnli: {path: org/name}\nembedder: {path: minilm}\n"
        "library: docs\nprompts: ./prompts\n"
        "probe: {ask: [{method: external, count: 1, source: topics.txt}]}\n",
    )
    monkeypatch.chdir(elsewhere)
    recipe = load_recipe(path)
    assert isinstance(recipe.model, LocalModel)
    assert recipe.model.path == str(home / "tiny")
    assert (recipe.nli.path, recipe.embedder.path) == ("org/name", "minilm")
    assert folder_of(recipe) == str(home / "docs")
    assert recipe.prompts == home / "prompts"
    assert recipe.probe.ask[0].source == home / "topics.txt"
    assert folder_of(load_recipe(path, ["library=docs"])) == str(elsewhere / "docs")
    aliases = load_recipe(path, ["model.path=atlas", "library=atlas", "answer_key=atlas"])
    assert isinstance(aliases.model, LocalModel)
    assert (aliases.model.path, folder_of(aliases), aliases.answer_key) == ("atlas", "atlas", "atlas")


def test_a_configuration_for_accelerate_is_a_name_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    (home / "ddp").mkdir(parents=True)  # is no name of ours
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for written, found in (("fsdp", "fsdp"), ("ddp", "ddp"), ("mine.yaml", home / "mine.yaml")):
        launch = load_recipe(
            write(home, f"library: atlas\nteach: {{launch: {{config: {written}}}}}\n")
        ).teach.launch
        assert launch is not None
        assert launch.config == found
    other = load_recipe(write(home, "library: atlas\n"), ["teach.launch.config=./mine.yaml"]).teach.launch
    assert other is not None
    assert other.config == elsewhere / "mine.yaml"


def test_the_name_of_a_servers_model_given_by_set_is_no_path(tmp_path: Path) -> None:
    path = write(
        tmp_path, "library: atlas\nmodel: {type: remote, model: x, base_url: 'http://127.0.0.1:9/v1'}\n"
    )
    recipe = load_recipe(path, ["model.model=llama.gguf"])
    assert recipe.model.model == "llama.gguf"  # type: ignore[union-attr]


def test_the_folder_above_a_link_is_that_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "far" / "inside").mkdir(parents=True)
    (tmp_path / "far" / "docs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "far" / "inside")
    path = write(tmp_path, "library: link/../docs\n")
    assert folder_of(load_recipe(path)) == str(tmp_path / "far" / "docs")


@pytest.mark.parametrize(
    "block",
    [
        "type: remote, base_url: 'http://127.0.0.1:9/v1'",
        "type: server, engine: ollama",
        "type: server, engine: vllm, url: 'http://127.0.0.1:9'",
    ],
)
@pytest.mark.parametrize("name", ["llama3", "/models/llama", "./llama3"])
def test_what_a_server_calls_its_model_is_no_path(tmp_path: Path, block: str, name: str) -> None:
    (tmp_path / "llama3").mkdir()
    path = write(tmp_path, f"model: {{{block}, model: {name}}}\njudge: {{{block}, model: {name}}}\n")
    recipe = load_recipe(path, ["library=atlas"])
    assert recipe.model.model == recipe.judge.model == name  # type: ignore[union-attr]


def test_a_model_that_an_engine_loads_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "llama3").mkdir()
    path = write(tmp_path, "library: atlas\nmodel: {type: server, engine: vllm, model: llama3, url: null}\n")
    assert load_recipe(path).model.model == str(tmp_path / "llama3")  # type: ignore[union-attr]
    path = write(tmp_path, "library: atlas\nmodel: {type: server, engine: vllm, model: /models/llama}\n")
    assert "model.model: no model folder at /models/llama" in refusal(path)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("teach.finetuning=full", "teach.lora.r=4"), "teach.lora: all weights are trained"),
        (("teach.finetuning=full", "model.load_in_4bit=true"), "weights of 4 bits cannot be trained"),
        (("deploy=merged", "model.load_in_4bit=true"), "cannot be merged into weights of 4 bits"),
        (("probe.model.path=atlas", "model.load_in_4bit=true"), "the weights are those of model"),
        (("deploy=dynamic", "teach.finetuning=full"), "teach.finetuning = full trains the whole model"),
        (("deploy=dynamic", "model.adapter=/tmp"), "model.adapter stands in between"),
    ],
)
def test_how_weights_are_held_and_what_is_trained_have_to_go_together(
    given: tuple[str, ...], message: str
) -> None:
    assert message in refusal(None, "library=atlas", *given)
    for one in given:
        load_recipe(None, ["library=atlas", one])


def test_a_limit_in_money_needs_prices_of_all_remote_models_in_one_currency(tmp_path: Path) -> None:
    def remote(prices: str = "") -> str:
        return f"{{type: remote, model: m{prices}}}"

    usd, eur = (f", prices: {{prompt: 1, completion: 2, currency: {name}}}" for name in ("USD", "EUR"))
    text = "library: atlas\nbudget: {{money: 5}}\nteacher: {}\njudge: {}\n"
    assert "no model of the recipe has `prices`" in refusal(
        write(tmp_path, "library: atlas\nbudget: {money: 5}\n")
    )
    said = refusal(write(tmp_path, text.format(remote(usd), remote())))
    assert "judge has no `prices`" in said
    assert "teacher" not in said
    said = refusal(write(tmp_path, text.format(remote(usd), remote(eur))))
    assert "prices are in EUR and USD" in said
    load_recipe(write(tmp_path, text.format(remote(usd), remote(usd))))


def test_the_yaml_of_a_recipe_is_the_recipe(tmp_path: Path) -> None:
    recipe = load_recipe(
        None, ["library=atlas", "seed=3", "teach.lora.target_modules=[a, b]", "probe.threshold=0.3"]
    )
    path = write(tmp_path, to_yaml(recipe))
    assert parse_recipe(read_yaml(path), "it") == recipe
    assert load_recipe(path) == recipe
    assert recipe_digest(load_recipe(path)) == recipe_digest(recipe)


def test_changed_keys_name_old_and_new() -> None:
    old = load_recipe(None, ["library=atlas"])
    new = load_recipe(None, ["library=atlas", "probe.threshold=0.6", "probe.ask=[{method: open, count: 3}]"])
    assert changed_keys(old, old) == []
    assert recipe_digest(old) != recipe_digest(new)
    lines = changed_keys(old, new)
    assert "probe.threshold: null -> 0.6" in lines
    assert "probe.ask.0.count: 1000 -> 3" in lines
    removed = changed_keys(
        load_recipe(None, ["probe.ask=[{method: open, count: 1}, {method: open, count: 2}]"]), new
    )
    assert "probe.ask.1.count: 2 -> (absent)" in removed


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*Recipe.model_fields, "ask", "path", "type", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(data=st.dictionaries(st.sampled_from([*Recipe.model_fields, "ask", "x", ""]), plain, max_size=4))
def test_whatever_the_data_the_answer_is_a_recipe_or_a_readable_refusal(data: dict[str, object]) -> None:
    with suppress(RecipeError):  # and nothing else
        assert parse_recipe(data, "it") == parse_recipe(
            yaml.safe_load(to_yaml(parse_recipe(data, "it"))), "it"
        )


@given(
    override=st.text(max_size=30)
    | st.from_regex(r"(model|probe|ask|0|x)(\.(ask|0|path|x))*=.{0,6}", fullmatch=True)
)
def test_whatever_the_override_likewise(override: str) -> None:
    with suppress(RecipeError):
        assert isinstance(load_recipe(None, ["library=atlas", override]), Recipe)


def test_every_default_is_itself_allowed() -> None:
    assert yaml.safe_load(to_yaml(Recipe()))["probe"]["threshold"] is None
    assert load_recipe(None, ["library=atlas"]).teach == Recipe().teach


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_are_recipes(path: Path) -> None:
    assert load_recipe(path, ["library=atlas"]).probe.ask


@pytest.mark.parametrize(
    "block", ["type: remote, model: m, base_url: '%s'", "type: server, engine: vllm, model: m, url: '%s'"]
)
def test_a_password_in_a_url_is_not_shown(block: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"library: atlas\nmodel: {{{block % 'http://me:hunter2@host/v1'}}}\n")
    message = refusal(path)
    assert "must hold no user, password or query" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("probe: {temperature: 0.7}", "probe.temperature: is now answering.temperature"),
        ("probe: {repetition_penalty: 1.2}", "probe.repetition_penalty: is now answering.repetition_penalty"),
        ("probe: {max_new_tokens: 48}", "probe.max_new_tokens: is now answering.max_new_tokens"),
        ("probe: {block_size: 8}", "probe.block_size: is now answering.block_size"),
        ("gather: {max_new_tokens: 48}", "gather.max_new_tokens: is now answering.reading_tokens"),
        ("verify: {merge: true}", "verify.merge: is now deploy: `merge: true` is `deploy: merged`"),
    ],
)
def test_keys_that_moved_are_refused_with_their_new_place(tmp_path: Path, old: str, new: str) -> None:
    assert new in refusal(write(tmp_path, f"library: atlas\n{old}\n"))
    block, _, rest = old.partition(": {")
    key, _, value = rest.rstrip("}").partition(": ")
    assert new in refusal(None, "library=atlas", f"{block}.{key}={value}")


def test_a_teacher_that_answers_has_to_be_named() -> None:
    said = refusal(None, "library=atlas", "gather.answers_from=teacher")
    assert "gather.answers_from = teacher" in said
    load_recipe(None, ["library=atlas", "gather.answers_from=teacher", "teacher.path=atlas"])


@pytest.mark.parametrize(
    ("suite", "said"),
    [
        ('{"name": "qa", "tasks": ["mc1"]}', "verify.suites.0.tasks: unknown key"),
        ('{"name": "atomic-facts", "gama": 3}', "did you mean verify.suites.0.gamma?"),
        ('{"name": "qaa"}', 'verify.suites.0.name = "qaa": must be one of'),
        ("{}", "verify.suites.0.name: missing"),
        ('{"name": "truthfulqa", "tasks": []}', "verify.suites.0.tasks = []"),
    ],
)
def test_what_is_wrong_with_a_suite_is_said_of_that_suite(suite: str, said: str) -> None:
    message = refusal(None, "library=atlas", f"verify.suites=[{suite}]")
    assert said in message
    assert "has a problem" in message


def test_keys_that_are_no_more_are_left_out_of_a_file_and_refused_in_an_override(tmp_path: Path) -> None:
    """A run's own recipe holds every key: `selfstudy learn --run RUN` reads it."""
    file = tmp_path / "r.yaml"
    file.write_text(
        "library: atlas\nteach: {rejection: {keep: 1.0, rest: true, beams: 3}}\n", encoding="utf-8"
    )
    assert load_recipe(file).teach.rejection.beams == 3
    with pytest.raises(RecipeError, match=r"teach\.rejection\.keep: unknown key"):
        load_recipe(file, ["teach.rejection.keep=2"])
