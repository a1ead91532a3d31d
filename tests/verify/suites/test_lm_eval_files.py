"""Task files of others: what is a program is refused, named, before anything of it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.verify.suites.lm_eval_files import require_plain, sandboxed

PLAIN = """
task: mine
dataset_path: json
output_type: multiple_choice
doc_to_text: "{{question}}"
metric_list: [{metric: acc, aggregation: mean}]
"""


def check(folder: Path) -> None:
    require_plain(folder, {"acc", "exact_match"})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("process_results: !function evil.run", "!function"),
        (
            "filter_list: [{name: x, filter: [{function: custom, filter_fn: !function evil.run}]}]",
            "!function",
        ),
        ("class: !function evil.Task", "!function"),
        ("class: evil.Task", "class"),
        ("unsafe_code: true", "unsafe_code"),
        ("metric_list: [{metric: /tmp/evil}]", "a script of the Hub"),
        ("metric_list: [{metric: acc, hf_evaluate: true}]", "hf_evaluate"),
        ("metric_list: [{metric: !function evil.run}]", "!function"),
        ("dataset_kwargs: {trust_remote_code: true}", "trust_remote_code"),
        ("include: ../../other.yaml", "outside"),
        ("include: /etc/hosts", "outside"),
        ("x: !!python/object/apply:os.system [ls]", "cannot be read"),
        ("x: [", "cannot be read"),
        ("x: " + "[" * 60 + "]" * 60, "nested too deeply"),
    ],
)
def test_what_would_run_code_is_refused(tmp_path: Path, line: str, said: str) -> None:
    key = line.partition(":")[0]
    kept = [one for one in PLAIN.splitlines() if not one.startswith(key)]
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/mine.yaml").write_text("\n".join([*kept, line]))
    with pytest.raises(DataError, match=r"mine\.yaml") as error:
        check(tmp_path)
    assert said in str(error.value)


def test_a_plain_file_is_taken_and_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no task file"):
        check(tmp_path)
    (tmp_path / "mine.yaml").write_text(PLAIN)
    (tmp_path / "more.yml").write_text("include: mine.yaml\ntask: more\n")
    check(tmp_path)
    (tmp_path / "huge.yaml").write_text("x: " + "y" * 2**21)
    with pytest.raises(DataError, match="larger than"):
        check(tmp_path)


def test_templates_reach_no_program() -> None:
    utils = pytest.importorskip("lm_eval.utils", reason="lm-eval is not installed (the extra eval)")
    escape = "{{ ''.__class__.__mro__ }}"
    assert "object" in utils.apply_template(escape, {})
    before = utils.env
    with sandboxed():
        with pytest.raises(Exception, match=r"unsafe|undefined"):
            utils.apply_template(escape, {})
        assert utils.apply_template("{{ a | regex_replace('x', 'y') }}", {"a": "xx"}) == "yy"
    assert utils.env is before


def test_what_is_not_looked_through_is_not_taken(tmp_path: Path) -> None:
    folder, outside = tmp_path / "tasks", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (folder / "evil.txt").write_text("doc_to_text: !function evil.f\n")
    (folder / "one.yaml").write_text("task: one\ninclude: evil.txt\n")
    with pytest.raises(DataError, match=r"include: 'evil.txt', outside of the folder, or no .yaml"):
        require_plain(folder, {"acc"})
    (folder / "one.yaml").write_text("task: one\n")
    require_plain(folder, {"acc"})
    (folder / "more").symlink_to(outside, target_is_directory=True)
    with pytest.raises(DataError, match="is a link to another folder"):
        require_plain(folder, {"acc"})


def test_aliases_of_aliases_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 12))]
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    with pytest.raises(DataError, match="aliases that stand for too much"):
        require_plain(tmp_path, {"acc"})
    (tmp_path / "bomb.yaml").write_text("a: &a [*a]\n")
    with pytest.raises(DataError, match=r"nested too deeply|cannot be read"):
        require_plain(tmp_path, {"acc"})
