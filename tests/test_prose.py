"""The script that measures sentences: what it counts, and what it complains about."""

from hypothesis import given
from hypothesis import strategies as st

from tools.prose import LONGEST_WORDS, MOST_WORDS, complaints, main, sentences

PAGE = """
# A heading is no sentence at all

The first sentence has `code of many words` in it. The *second* one
goes [over two](lines.md) lines.

- An item of a list. It has two sentences.
1. Another item
   that goes on.

| a | table is not counted |
|---|---|

    indented code is not counted at all

```sh
code is not counted at all
```

<p>HTML is not counted</p>
![A picture is not counted](a.png)

Too short. This is the last one, e.g. Kim et al. Said so: Nobody knows.
"""


def test_sentences_are_those_of_running_text():
    assert [sentence.text for sentence in sentences(PAGE)] == [
        "The first sentence has X in it.",
        "The second one goes over two lines.",
        "An item of a list.",
        "It has two sentences.",
        "Another item that goes on.",
        "This is the last one, eg Kim et al Said so:",
    ]
    assert [sentence.line for sentence in sentences(PAGE)] == [4, 4, 7, 7, 8, 23]


def of(words: int) -> str:
    return "One" + " more" * (words - 1) + "."


def test_nine_of_ten_may_have_25_words():
    nine = " ".join([of(MOST_WORDS)] * 9)
    assert complaints(f"{nine} {of(MOST_WORDS + 1)}") == []
    told = complaints(f"{nine} {of(30)} {of(26)}")
    assert told[0] == "2 of 11 sentences have more than 25 words; 1 may. The longest:"
    assert told[1].startswith("1: 30 words: One more")


def test_no_sentence_may_have_more_than_45_words():
    many = " ".join([of(5)] * 100)
    assert complaints(f"{many} {of(LONGEST_WORDS)}") == []
    (told,) = complaints(f"{many}\n\n{of(LONGEST_WORDS + 1)}")
    assert told.startswith("3: a sentence of 46 words, over 45: One")


@given(st.text("ab .!-*#|`<\n1[]()", max_size=60))
def test_any_text_can_be_measured(page):
    assert all(sentence.words > 2 for sentence in sentences(page))
    complaints(page)


def test_the_script_tells_the_page_and_the_line(tmp_path, capsys):
    (tmp_path / "good.md").write_text(of(4))
    assert main([str(tmp_path / "good.md")]) == 0
    (tmp_path / "bad.md").write_text(of(50))
    assert main([str(tmp_path / "good.md"), str(tmp_path / "bad.md")]) == 1
    assert "bad.md:1: a sentence of 50 words, over 45" in capsys.readouterr().out
