from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.errors import DataError
from selfstudy.probe import wordnet

DATA = """\
  1 This software and database is being provided to you, the LICENSEE, by
  2 Princeton University under the following license.
00001740 03 n 01 entity 0 003 ~ 00001930 n 0000 ~ 00002137 n 0000 | that which is perceived (living or not)
02084071 05 n 0b dog 0 domestic_dog 0 Canis_familiaris 0 a 0 b 0 c 0 d 0 e 0 f 0 g 0 h 1 001 @ 1 n 0 | a \
member of the genus Canis; that barks; "the dog barked all night"; "another"
06410904 10 n 01 word 0 000 | a "unit" of language: "he said the word"
"""


def write(folder: Path, content: str = DATA) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "data.noun"
    path.write_text(content, encoding="utf-8")
    return path


def test_every_lemma_of_every_synset_with_its_definition(tmp_path: Path) -> None:
    found = wordnet.nouns(write(tmp_path))
    assert len(found) == 1 + 11 + 1, "the number of words is hexadecimal"
    assert found[0] == ("entity", "that which is perceived (living or not)")
    assert found[2] == ("domestic dog", "a member of the genus Canis; that barks")
    assert found[11] == ("h", "a member of the genus Canis; that barks")
    assert found[12] == ("word", 'a "unit" of language')


@pytest.mark.parametrize(
    "line",
    [
        "00001740 03 n 02 entity 0\n",
        "00001740 03 n 02 entity 0 | x\n",
        "00001740 03 n zz entity 0 000 | x\n",
        "00001740 03 n 01 entity 0 000 | \n",
        "entity\tthat which is\n",
        "\n",
    ],
)
def test_what_is_no_synset_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match=r"data\.noun, line 6"):
        wordnet.nouns(write(tmp_path, DATA + line))


def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "data.noun").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot read"):
        wordnet.nouns(tmp_path / "data.noun")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No WordNet in sight: no variables, an empty home, and none of the system's folders."""
    for name in ("WNSEARCHDIR", "WNHOME", "NLTK_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(wordnet, "SYSTEM", ())
    return tmp_path


@pytest.mark.parametrize(
    ("variable", "value", "place"),
    [
        ("WNSEARCHDIR", "here", "here"),
        ("WNHOME", "there", "there/dict"),
        ("NLTK_DATA", "other:data", "data/corpora/wordnet"),
        (None, "", "nltk_data/corpora/wordnet"),
    ],
)
def test_where_it_is_looked_for(
    bare: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None, value: str, place: str
) -> None:
    path = write(bare / place)
    if variable:
        monkeypatch.setenv(variable, ":".join(str(bare / part) for part in value.split(":")))
    assert wordnet.find_wordnet() == path


def test_without_one_the_error_says_how_to_get_it(bare: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)no WordNet.*apt install wordnet-base.*vocabulary file"):
        wordnet.find_wordnet()


def test_the_real_one() -> None:
    try:
        path = wordnet.find_wordnet()
    except DataError:
        pytest.skip("WordNet is not installed")
    found = wordnet.nouns(path)
    assert len({lemma.lower() for lemma, _ in found}) > 110_000
    senses = dict(reversed(found))
    assert senses["aardvark"].startswith("nocturnal burrowing mammal")
    assert sum('"' in definition for _, definition in found) < len(found) / 1000
