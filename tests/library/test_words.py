"""Pages and questions in languages that write no spaces find each other; other text stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfstudy.library.folder import read_documents
from selfstudy.library.index import Library
from selfstudy.library.words import index_words

PAGES = {
    "zh-bridge.md": "# 托尔维克大桥\n\n托尔维克大桥横跨北河，1908年建成。它由工程师林德设计，长三百米。",
    "zh-museum.md": "# 海湾博物馆\n\n海湾博物馆位于港口旁边，收藏了四百幅油画。博物馆每逢星期一闭馆。",
    "zh-tea.md": "# 白雾茶\n\n白雾茶产于高山地区。茶农在春天采摘嫩叶，经过七天的发酵制成。",
    "ja-lake.md": "# 青石湖\n\n青石湖は県の北部にある湖です。深さは八十四メートルで、冬には全面が凍ります。",
    "ja-festival.md": "# 灯火祭\n\n灯火祭は毎年八月に開かれます。町の人々は川に三百個の灯籠を流します。",
    "ja-cake.md": "# カステーラ工房\n\nカステーラ工房は一八九二年に創業しました。蜂蜜入りの菓子が有名です。",
    "th-ferry.md": "# เรือข้ามฟากท่าเหนือ\n\nเรือข้ามฟากท่าเหนือเริ่มให้บริการในปี 1931 และออกทุกสามสิบนาที",
    "th-temple.md": "# วัดหินขาว\n\nวัดหินขาวตั้งอยู่บนยอดเขา สร้างโดยช่างจากหมู่บ้านใกล้เคียง",
    "th-mango.md": "# ตลาดมะม่วง\n\nตลาดมะม่วงเปิดทุกวันเสาร์ ชาวสวนขายผลไม้กว่ายี่สิบชนิด",
    "km-rice.md": "# ផ្ទះស្រូវ\n\nផ្ទះស្រូវត្រូវបានសាងសង់នៅឆ្នាំ១៩៥២ ដោយកសិករក្នុងភូមិ",
    "km-river.md": "# ទន្លេខ្មៅ\n\nទន្លេខ្មៅហូរកាត់ទីក្រុង ហើយមានត្រីច្រើនប្រភេទ",
    "ko-station.md": "# 달빛역\n\n달빛역은 1967년에 문을 열었으며 하루 열두 대의 기차가 섭니다.",
    "ko-library.md": "# 바람도서관\n\n바람도서관에는 책이 구만 권 있고 일요일에는 쉽니다.",
}
ASKED = {
    "托尔维克大桥是哪一年建成的？": "zh-bridge.md",
    "谁设计了横跨北河的桥？": "zh-bridge.md",
    "博物馆星期几闭馆？": "zh-museum.md",
    "茶农什么时候采摘嫩叶？": "zh-tea.md",
    "青石湖の深さはどのくらいですか。": "ja-lake.md",
    "川に流す灯籠は何個ですか。": "ja-festival.md",
    "ｶｽﾃｰﾗ工房はいつ創業しましたか。": "ja-cake.md",
    "เรือข้ามฟากเริ่มให้บริการปีไหน": "th-ferry.md",
    "ใครสร้างวัดหินขาว": "th-temple.md",
    "ตลาดขายผลไม้กี่ชนิด": "th-mango.md",
    "តើផ្ទះស្រូវសាងសង់នៅឆ្នាំណា": "km-rice.md",
    "ទន្លេខ្មៅមានត្រីអ្វីខ្លះ": "km-river.md",
    "달빛역에는 기차가 몇 대 섭니까?": "ko-station.md",
    "바람도서관의 책은 몇 권입니까?": "ko-library.md",
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("pages")
    for name, page in PAGES.items():
        (folder / name).write_text(page, encoding="utf-8")
    documents = read_documents(folder).documents
    return Library.build(documents, folder / "index", chunk_tokens=64)


@pytest.mark.parametrize(("question", "page"), ASKED.items())
def test_a_question_finds_its_page(library: Library, question: str, page: str) -> None:
    found = library.find([question], 3)[0]
    assert found
    assert found[0].source == page
    assert found[0].text in PAGES[page], "what is found is the passage as it was written"


def test_one_chinese_page_is_found_by_a_question_in_chinese(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text(PAGES["zh-bridge.md"], encoding="utf-8")
    library = Library.build(read_documents(tmp_path).documents, tmp_path / "index", chunk_tokens=512)
    assert [hit.source for hit in library.find(["大桥由谁设计？"], 3)[0]] == ["page.txt"]
    assert library.find(["火星有几颗卫星？"], 3) == [[]]


@pytest.mark.parametrize(
    "text",
    [
        "The ferry began.",
        "Çà et là, l'été: 41 °C",
        "Паром начал ходить",
        "Η γέφυρα",
        "हिन्दी में",
        "",
    ],
)
def test_other_scripts_are_indexed_as_they_stand(text: str) -> None:
    assert index_words(text) == text


def test_a_run_becomes_overlapping_pieces_beside_other_words() -> None:
    assert index_words("第3章DNA的结构").split() == ["第", "3", "章", "DNA", "的结", "结构"]
