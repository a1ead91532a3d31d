"""What a file within its bounds becomes once parsed stays within memory; what is written can be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from selfstudy.errors import RunError
from selfstudy.files import jsonl, private

ONE_GB = 1_000_000  # KiB
CHILD = """
import sys
from pathlib import Path
from selfstudy.errors import SelfstudyError
from selfstudy.files import jsonl, plain_yaml, rows
from selfstudy.models.local import small_files

path = Path(sys.argv[1])
try:
    {}
except (SelfstudyError, ValueError) as error:
    print(str(error)[:200])
else:
    print("read")
status = Path("/proc/self/status").read_text()  # what getrusage tells counts the process that forked it too
print(status.split("VmHWM:")[1].split()[0])
"""
READ = {
    "run": "jsonl.read_object(path, 'restore it')",
    "lines": "list(jsonl.read_lines(path))",
    "rows": "list(rows.read_rows(path))",
    "model": "small_files.read_json(path)",
    "endless": "list(rows.read_rows(Path('/dev/stdin')))",
}


@pytest.mark.parametrize("reader", READ)
def test_small_values_without_number_take_no_gigabyte(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    start, end = (b"[", b"0]") if reader == "rows" else (b'{"a":[', b"0]}\n")
    path.write_bytes(start + b"[]," * 20_000_000 + end)
    source = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
    try:
        child = [sys.executable, "-c", CHILD.format(READ[reader]), str(path)]
        found = subprocess.run(child, stdin=source.stdout, capture_output=True, text=True, timeout=60)
    finally:
        source.kill()
        source.wait()
    said, _, most = found.stdout.strip().rpartition("\n")
    assert found.returncode == 0, found.stderr
    assert "more than" in said
    assert int(most) < ONE_GB / 2


@pytest.mark.parametrize(
    ("row", "count"),
    [
        (
            '{"question":"What is it?","answer":"It is so.","logprobs":[' + "-0.12345678," * 39 + "-1.5]}",
            180_000,
        ),
        ('{"question":"What is it?","answer":"' + "one, two [and] three, " * 45 + '"}', 35_000),
    ],
)
def test_ordinary_rows_of_a_large_file_are_read(row: str, count: int, tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text("[" + f"{row},\n" * count + f"{row}]")
    assert path.stat().st_size < 100_000_000
    child = [sys.executable, "-c", CHILD.format(READ["rows"]), str(path)]
    found = subprocess.run(child, capture_output=True, text=True, timeout=60)
    said, _, most = found.stdout.strip().rpartition("\n")
    assert found.returncode == 0, found.stderr
    assert said == "read"
    assert int(most) < ONE_GB


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="more than can be read again: nothing was written"):
        jsonl.require_readable(b" " * (private.LARGEST + 1), tmp_path / "x.json")
    with pytest.raises(RunError, match="split the data"):
        jsonl.require_readable(b"0," * 15_000_000, tmp_path / "x.json")
    jsonl.require_readable(b"{}", tmp_path / "x.json")
