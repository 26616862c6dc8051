"""Values, tables and pages compared: what is named, and what another build may do."""

from hilum.verify.book import Book
from hilum.verify.documents import compare_csv, compare_values
from hilum.verify.pages import compare_page, without_pictures

PAGE = """<section class="part">
<h3>Figures</h3>
<p><data class="value" value="0.91" data-figure="cnn/test/auroc">0.91</data></p>
</section>
<section class="part">
<h3>Pictures</h3>
<ul><li><img class="xray" src="data:,"></li></ul>
</section>
"""


def places(book):
    return [each.where for each in book.differences]


def test_a_number_a_word_a_missing_and_a_new_key_are_each_named():
    book = Book()
    expected = {"a": {"value": 0.5, "n": 3}, "words": "one", "gone": 1, "list": [{"label": "x", "k": 1}]}
    found = {"a": {"value": 0.6, "n": 3}, "words": "two", "new": 1, "list": [{"label": "x", "k": 2}]}
    compare_values(book, "f.json", expected, found)
    assert places(book) == ["a.value", "words", "gone", "list[0: x].k", "new"]
    assert book.differences[0].sentence == "f.json: a.value: expected 0.5, found 0.6"


def test_the_last_digits_are_told_of_and_are_no_difference():
    book = Book()
    compare_values(book, "f.json", {"a": 0.1, "n": 10}, {"a": 0.1 + 1e-16, "n": 10})
    compare_values(book, "f.json", 0.3, 0.3 + 1e-12)
    assert not book.differences and book.last_digits
    compare_values(book, "f.json", 10, 11)
    compare_values(book, "f.json", 0.3, 0.30001)
    assert len(book.differences) == 2


def test_another_build_may_choose_words_and_intervals_and_no_figures():
    book = Book(same_build=False)
    expected = {"value": 0.5, "ci_low": 0.4, "sentence": "one"}
    compare_values(book, "f.json", expected, {"value": 0.6, "ci_low": 0.3, "sentence": "two"})
    assert places(book) == ["value"] and book.other_words == {"f.json": 2}


def test_a_table_is_compared_cell_by_cell_and_to_the_letter():
    book = Book()
    compare_csv(book, "t.csv", "run,auroc\na,0.9\nb,0.8\n", "run,auroc\na,0.9\nb,0.7\n")
    assert places(book) == ["row 2 (b), auroc"]
    book = Book()
    compare_csv(book, "t.csv", "run,auroc\na,0.9\n", "run,auroc\na,0.90\n")
    assert places(book) == ["the text"]
    book = Book()
    compare_csv(book, "t.csv", "run,auroc\na,0.9\n", "run,auroc\n")
    assert places(book) == ["rows"]


def test_a_page_names_line_heading_and_both_sides():
    book = Book()
    compare_page(book, "p.html", PAGE, PAGE.replace(">0.91<", ">0.97<"), pictures=True)
    (difference,) = book.differences
    assert difference.where == "line 3, under “Figures”"
    assert "0.91" in difference.expected and "0.97" in difference.found


def test_another_build_is_held_to_the_marked_figures():
    book = Book(same_build=False)
    compare_page(book, "p.html", PAGE, PAGE.replace(">0.91<", ">0.97<").replace("Figures", "Numbers"), pictures=True)
    assert places(book) == ["figure cnn/test/auroc"]


def test_without_pictures_only_what_shows_them_is_passed_over():
    gone = PAGE.replace(
        '<ul><li><img class="xray" src="data:,"></li></ul>', "<p>No picture of this class can be shown.</p>"
    )
    one, other, left_out = without_pictures(gone, PAGE)
    assert one == other and left_out == {"Pictures"}
    book = Book()
    compare_page(book, "p.html", gone, PAGE.replace(">0.91<", ">0.97<"), pictures=False)
    assert len(book.differences) == 1 and len(book.unchecked) == 1
