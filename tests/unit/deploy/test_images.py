"""`make images` tries every image that is named here, or says which it cannot."""

from deploy.images.__main__ import IMAGE, LEFT_OUT, REPORT
from deploy.images.standins import DEBIAN, FOLDER, standins
from tests.unit.deploy.test_compose import OURS, services
from tests.unit.deploy.test_image import DOCKERFILES, bases, instructions
from tests.unit.test_supply import project


def test_every_image_has_one_that_stands_in_for_it_or_is_left_out_in_words() -> None:
    named = {each["image"] for name, each in services().items() if name not in LEFT_OUT} - OURS
    named |= {image for name in DOCKERFILES for image in bases(name)}
    assert named == {each.image for each in standins()} | {DEBIAN}


def test_none_that_stands_in_begins_with_an_image_from_outside() -> None:
    for each in standins():
        name = str(each.file.relative_to(FOLDER.parents[2]))
        assert [rest for word, rest in instructions(name) if word == "FROM"] == [DEBIAN]


def test_what_is_tried_is_the_release_of_the_compose_file() -> None:
    assert f"courier:{project()['version']}" == IMAGE


def test_the_last_result_is_written_down_with_its_date_and_with_what_was_not_real() -> None:
    text = REPORT.read_text()
    assert "all of it held" in text
    for each in standins():
        assert each.image in text
    for name in LEFT_OUT:
        assert f"| {name} | not started" in text
