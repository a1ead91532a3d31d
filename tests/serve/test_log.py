"""The log of requests: for its owner alone, bounded, whole lines, without secrets."""

from __future__ import annotations

import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.run.request_log import RequestLine
from selfstudy.serve.log import LONGEST, RequestLog


def line(question: str) -> RequestLine:
    return RequestLine(
        time=1.0,
        model="base",
        question=question,
        answer="that",
        finish="stop",
        prompt_tokens=1,
        completion_tokens=1,
    )


def questions(file: Path) -> list[str]:
    return [RequestLine.model_validate_json(one).question for one in file.read_bytes().splitlines()]


def test_it_is_put_aside_before_it_is_too_large_and_nothing_is_lost_on_the_way(tmp_path: Path) -> None:
    file = tmp_path / "log"
    log = RequestLog(file, largest=2000, kept=3)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(log.write, [line(f"{at:03}") for at in range(30)]))
    log.close()
    files = sorted(tmp_path.iterdir())
    assert [one.name for one in files][:2] == ["log", "log.1"]
    assert all(one.stat().st_size <= 2000 and one.stat().st_mode & 0o777 == 0o600 for one in files)
    assert sorted(text for one in files for text in questions(one)) == [f"{at:03}" for at in range(30)]


def test_only_so_many_files_are_kept(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "log", largest=1, kept=2)
    for at in range(5):
        log.write(line(str(at)))
    log.close()
    assert [questions(tmp_path / name) for name in ("log", "log.1", "log.2")] == [["4"], ["3"], ["2"]]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_line_that_a_kill_has_cut_short_does_not_spoil_the_next(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b'{"time": 1, "mod')
    log = RequestLog(file)
    log.write(line("next"))
    log.close()
    assert file.read_bytes().splitlines()[0] == b'{"time": 1, "mod'
    assert RequestLine.model_validate_json(file.read_bytes().splitlines()[1]).question == "next"


def test_a_disk_that_takes_a_part_of_a_line_keeps_whole_lines_and_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "log"
    log = RequestLog(file)
    log.write(line("first"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 20, hard))
    try:
        with pytest.raises(OSError, match="full"):
            log.write(line("lost"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.write(line("next"))
    log.close()
    assert questions(file) == ["first", "next"]


def test_a_log_that_could_not_be_put_aside_goes_on_when_it_can_be_written_again(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "log", largest=1, kept=1)
    log.write(line("first"))
    (tmp_path / "log.1").mkdir()
    with pytest.raises(OSError):
        log.write(line("lost"))
    (tmp_path / "log.1").rmdir()
    log.write(line("next"))
    log.close()
    assert questions(tmp_path / "log") == ["next"]


def test_secrets_are_left_out_before_a_text_is_cut(tmp_path: Path) -> None:
    secret = "sk-0a1b2c3d4e5f6a7b8c9d0e1f"
    log = RequestLog(tmp_path / "log")
    log.write(line("x " * (LONGEST // 2 - 5) + secret))
    log.close()
    text = (tmp_path / "log").read_text()
    assert "sk-0a1" not in text
    assert len(text) < LONGEST + 300


def test_no_link_is_followed_and_no_folder_made(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine\n")
    (tmp_path / "link").symlink_to(target)
    for place in (tmp_path / "link", tmp_path, tmp_path / "none" / "log"):
        with pytest.raises(DataError, match="cannot be written"):
            RequestLog(place)
    assert target.read_text() == "mine\n"
