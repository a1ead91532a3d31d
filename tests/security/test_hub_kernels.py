"""Code on the Hub that a library would fetch and run by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_no_library_runs_code_from_the_hub(tmp_path: Path) -> None:
    """On some processors bitsandbytes, which peft imports, would by the package `kernels`."""
    (tmp_path / "kernels.py").write_text("raise SystemExit('ran')\n")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import selfstudy.teach.trainers.dpo, peft, transformers\n"
        "try:\n    import kernels\nexcept ImportError:\n    print('kept out')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "kept out\n"
    assert "kernels" not in done.stderr
