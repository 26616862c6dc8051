import re
from pathlib import Path

import hilum.images
from hilum.images import REJECTIONS, WARNINGS
from hilum.images.codes import rejection

SOURCES = "\n".join(path.read_text() for path in sorted(Path(hilum.images.__file__).parent.glob("*.py")))


def test_every_code_that_is_raised_is_in_the_table_and_the_other_way_round():
    raised = set(re.findall(r'rejection\("([a-z-]+)"', SOURCES)) | {"truncated", "unsupported", "not-an-image"}
    raised |= set(re.findall(r'return "([a-z]+)", f?"', SOURCES))  # the ways in which a child ends
    assert raised == set(REJECTIONS)


def test_every_warning_of_the_table_is_given_somewhere():
    for code in WARNINGS:
        assert SOURCES.count(f'"{code}"') >= 2, code


def test_message_names_file_expected_found_and_way_out_on_one_line():
    error = rejection("truncated", "a/b.jpg", "half of it")
    assert str(error) == ("a/b.jpg: expected a whole picture, found half of it. Copy the file again from its source")
    assert (error.code, error.exit_code) == ("truncated", 3)
