"""What a run taught is handed over as others load it, or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfstudy.errors import DataError, ModelError, RunError
from selfstudy.files import lock, own
from selfstudy.run import Run
from selfstudy.verbs.publishing import plain_child
from selfstudy.verbs.publishing.chosen import Publication, choose
from selfstudy.verbs.publishing.leaks import require_none
from selfstudy.verbs.publishing.loading_back import LoadedBack, PlainReply, compared, request_of
from selfstudy.verbs.publishing.publish import PublishOptions, publish
from selfstudy.verbs.publishing.questions import Asking, ask_taught, chosen_questions
from selfstudy.verbs.publishing.writing import write_model
from tests.conftest import TEMPLATE
from tests.stories.small import cli, refusal
from tests.verbs.publishing.taught import PROMOTED, make_routed, make_taught

Folders = Callable[..., Path]


@pytest.fixture
def model(model_folder: Folders) -> Path:
    return model_folder("llama", TEMPLATE)


def in_this_process(folder: Path, asking: Asking, chosen: Publication, *, whole: bool) -> LoadedBack:
    """As the child does it, without waiting for its imports."""
    request, reply = folder.parent / "request.json", folder.parent / "reply.json"
    request.write_text(json.dumps(request_of(folder, asking, list(chosen.adapters), whole=whole)))
    plain_child.main(str(request), str(reply))
    return compared(asking, PlainReply.model_validate_json(reply.read_bytes()))


def written(chosen: Publication, folder: Path, **how: Any) -> tuple[Path, Asking]:
    asking = ask_taught(chosen, chosen_questions(chosen))
    folder.mkdir()
    options = {"merged": False, "gguf": False} | how
    write_model(chosen, folder, asking.tokenizer, say=lambda line: None, **options)
    return folder, asking


def test_a_run_is_written_loaded_back_by_others_and_described(model: Path, tmp_path: Path) -> None:
    run = make_taught(tmp_path / "my run", model)
    before = sorted(p for p in run.path.rglob("*"))
    code, said, told = cli("publish", run.path, "--to", tmp_path / "out", "--license", "mit")
    assert code == 0, told
    assert "10 of 10 answers, loaded back, are those of the run" in said
    assert sorted(p for p in run.path.rglob("*")) == before
    out = tmp_path / "out"
    files = {p.name for p in out.iterdir()}
    assert {"README.md", "adapter_model.safetensors", "adapter_config.json", "tokenizer.json"} <= files
    assert not files & {"curriculum.json", "lineage.json", "config.json"}
    for file in out.iterdir():
        if file.suffix in (".json", ".md", ".jinja"):
            assert str(tmp_path) not in file.read_text(), file
            assert str(Path.home()) not in file.read_text() or file.name == "tokenizer.json"
    config = json.loads((out / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] is None  # a folder of this machine, which says nothing to others
    card = (out / "README.md").read_text()
    assert "10 of 10 answers the same as in the run" in card
    assert "What is the capital" not in card
    assert "oceania/fiji.md" in card
    assert "is there already" in refusal(cli("publish", run.path, "--to", out))
    assert not list(tmp_path.glob("*.tmp"))


def test_what_others_load_is_the_taught_model(model: Path, model_folder: Folders, tmp_path: Path) -> None:
    """With a template and without, merged and whole, of one adapter and of several."""
    chosen = choose(make_taught(tmp_path / "run", model))
    out, asking = written(chosen, tmp_path / "adapter")
    found = in_this_process(out, asking, chosen, whole=False)
    assert (found.same, found.asked, found.by) == (10, 10, "template")
    assert len({item.answer for item in asking.items}) > 1

    merged, asking = written(chosen, tmp_path / "merged", merged=True)
    assert in_this_process(merged, asking, chosen, whole=True).same == 10
    assert not (merged / "adapter_config.json").exists()

    whole = choose(make_whole(tmp_path / "full", model, merged))
    out, asking = written(whole, tmp_path / "whole")
    assert in_this_process(out, asking, whole, whole=True).same == 10

    plain = model_folder("qwen3-gguf")
    base = choose(make_taught(tmp_path / "base", plain))
    out, asking = written(base, tmp_path / "plain")
    found = in_this_process(out, asking, base, whole=False)
    assert (found.same, found.by) == (10, "text")
    assert asking.items[0].stop == ("\n",)


def test_a_gguf_file_lies_beside_it(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="needs the extra gguf")
    out, _ = written(choose(make_taught(tmp_path / "run", model)), tmp_path / "gguf", gguf=True)
    assert (out / "adapter.gguf").read_bytes().startswith(b"GGUF")


def make_whole(folder: Path, model: Path, weights: Path) -> Run:
    run = make_taught(folder, model, teach={"finetuning": "full"})
    taught = run.round(1).adapter()
    shutil.rmtree(taught)
    shutil.copytree(weights, taught)
    return run


def test_several_adapters_are_folders_of_their_own_or_one_by_name(model: Path, tmp_path: Path) -> None:
    run = make_routed(tmp_path / "run", model)
    chosen = choose(run)
    out, asking = written(chosen, tmp_path / "all")
    assert sorted(p.name for p in out.iterdir() if p.is_dir()) == ["africa-1", "asia-2"]
    assert {item.adapter for item in asking.items} == {"africa-1", "asia-2"}
    assert not (out / "router.json").exists()
    assert in_this_process(out, asking, chosen, whole=False).same == len(asking.items)
    one = choose(run, adapter="asia-2")
    out, asking = written(one, tmp_path / "one")
    assert in_this_process(out, asking, one, whole=False).same == len(asking.items)
    with pytest.raises(ModelError, match="no adapter 'europe'"):
        choose(run, adapter="europe")
    with pytest.raises(ModelError, match="has 2 adapters"):
        written(chosen, tmp_path / "merged", merged=True)


def test_what_answers_otherwise_is_told_and_kept_aside(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    chosen = choose(make_taught(tmp_path / "run", model))
    out, asking = written(chosen, tmp_path / "adapter")
    weights = load_file(out / "adapter_model.safetensors")
    save_file(
        {name: torch.zeros_like(one) for name, one in weights.items()}, out / "adapter_model.safetensors"
    )
    found = in_this_process(out, asking, chosen, whole=False)
    assert found.same < 10
    assert found.differences[0].taught != found.differences[0].published

    monkeypatch.setattr("selfstudy.verbs.publishing.publish.load_back", lambda *_, **__: found)
    with pytest.raises(ModelError, match=r"loaded back it answers \d+ of 10 questions otherwise: 'What"):
        publish(chosen.run.path, PublishOptions(to=str(tmp_path / "out")), lambda line: None)
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out-not-published/adapter_model.safetensors").is_file()
    assert not list((tmp_path / "out-not-published").glob("*.lock"))


def test_a_tokenizer_that_makes_another_prompt_is_seen(model: Path, tmp_path: Path) -> None:
    chosen = choose(make_taught(tmp_path / "run", model))
    out, asking = written(chosen, tmp_path / "adapter")
    settings = json.loads((out / "tokenizer.json").read_text())
    settings["normalizer"] = {"type": "Lowercase"}
    (out / "tokenizer.json").write_text(json.dumps(settings))
    found = in_this_process(out, asking, chosen, whole=False)
    assert found.same == 0
    assert not found.differences[0].same_prompt


def test_what_the_gate_did_not_promote_is_published_only_if_told(model: Path, tmp_path: Path) -> None:
    rejected = make_taught(tmp_path / "no", model, {"promoted": False, "reasons": ["Known questions fell."]})
    said = refusal(cli("publish", rejected.path, "--to", tmp_path / "out"))
    assert "nothing of" in said
    assert "Known questions fell." in said
    assert "--unverified" in said
    assert not choose(rejected, unverified=True).verified
    unseen = make_taught(tmp_path / "unseen", model, None)
    assert "verify has not decided yet" in refusal(cli("publish", unseen.path, "--to", tmp_path / "out"))
    empty = tmp_path / "empty"
    with Run.create_or_resume(empty, unseen.recipe):
        pass
    assert "has taught nothing yet" in refusal(
        cli("publish", empty, "--to", tmp_path / "out", "--unverified")
    )
    assert not (tmp_path / "out").exists()


def test_places_that_are_none_or_are_somebodys(model: Path, tmp_path: Path) -> None:
    run = make_taught(tmp_path / "run", model)

    def said(*arguments: str) -> str:
        return refusal(cli("publish", run.path, *arguments))

    assert "names no repository" in said("--to", "hub:nobody")
    assert "names no repository" in said("--to", "hub:../etc")
    assert "lies in the run itself" in said("--to", str(run.path / "out"))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "diary.txt").write_text("dear diary")
    assert "selfstudy did not put there" in said("--to", str(mine), "--force")
    assert (mine / "diary.txt").read_text() == "dear diary"
    link = tmp_path / "link"
    link.symlink_to(mine)
    assert "is a link" in said("--to", str(link))
    assert "no Hub id" in said("--to", str(tmp_path / "out"), "--base", "/etc/passwd")


def test_two_at_once_do_not_write_into_one_folder(model: Path, tmp_path: Path) -> None:
    """What the one has checked would be the other's; what a killed one left is in nobody's way."""
    run = make_taught(tmp_path / "run", model)
    begun = tmp_path / "out.tmp"
    own.make(begun)
    (begun / "half.bin").touch()
    held = lock.take(begun / ".selfstudy.lock", begun)
    options = PublishOptions(to=str(tmp_path / "out"))
    with pytest.raises(RunError, match="out is being written by process"):
        publish(run.path, options, lambda line: None)
    assert (begun / "half.bin").exists()
    lock.release(held)

    def said(line: str) -> None:
        assert not (begun / "half.bin").exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(run.path, options, said)
    assert not begun.exists()


def test_paths_keys_and_notes_do_not_leave(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"where": f"{Path.home()}/models"}))
    with pytest.raises(DataError, match="a path of this machine"):
        require_none(folder, [])
    (folder / "config.json").write_text("{}")
    require_none(folder, [])
    monkeypatch.setenv("MY_API_KEY", "Zx81qLw93kkPp20vRt7y")
    (folder / "README.md").write_text("made with Zx81qLw93kkPp20vRt7y")
    with pytest.raises(DataError, match="a key or a password"):
        require_none(folder, [])

    chosen = choose(make_taught(tmp_path / "run", model))
    weights = chosen.folder / "adapter_model.safetensors"
    save_file(load_file(weights), weights, metadata={"format": "pt", "author": "me@home"})
    with pytest.raises(ModelError, match="notes of its own"):
        written(chosen, tmp_path / "noted")
    whole = make_whole(tmp_path / "full", model, model)
    weights = choose(whole).folder / "model.safetensors"
    save_file(load_file(weights), weights, metadata={"format": "pt", "author": "me@home"})
    with pytest.raises(ModelError, match="notes of its own"):
        written(choose(whole), tmp_path / "whole")


def test_whose_model_it_is(model: Path, tmp_path: Path) -> None:
    cache = tmp_path / "models--acme--tiny/snapshots/0123abc"
    shutil.copytree(model, cache)
    of_hub = choose(make_taught(tmp_path / "hub", cache)).base
    assert (of_hub.name, of_hub.revision, of_hub.on_hub) == ("acme/tiny", "0123abc", True)
    local = make_taught(tmp_path / "local", model)
    assert not choose(local).base.on_hub
    assert choose(local, base="acme/tiny").base.on_hub
    out, _ = written(choose(local, base="acme/tiny"), tmp_path / "out")
    assert json.loads((out / "adapter_config.json").read_text())["base_model_name_or_path"] == "acme/tiny"


def test_ten_questions_are_spread_over_gaps_and_what_was_known(model: Path, tmp_path: Path) -> None:
    asked = [text for text, _ in chosen_questions(choose(make_taught(tmp_path / "run", model, PROMOTED)))]
    assert len(asked) == len(set(asked)) == 10
    assert sum(any(name in text for name in ("Niger", "Mali", "Oman", "Iran")) for text in asked) == 3
