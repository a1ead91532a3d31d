"""Texts and data stay what they are inside a page."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from selfstudy.show.report import script_safe


@given(
    st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
)
@settings(max_examples=200)
def test_script_safe_is_the_same_json_and_no_markup(value: Any) -> None:
    safe = script_safe(json.dumps(value, ensure_ascii=False))
    assert json.loads(safe) == value
    assert not set("<>&\u2028\u2029") & set(safe)
