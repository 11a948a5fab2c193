"""Labels come from folders as torchvision reads them; a folder that tells nothing apart gives none."""

import pytest

from survey_site.stimuli.image_names import as_label, fault_of_path, is_system_file, labels_of_folders


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ({"cat": "cat", "dog": "dog"}, "classes"),
        ({"photos/cat": "cat", "photos/dog": "dog", "photos": ""}, "a folder around them"),
        ({"a/b/c/cat": "cat", "a/b/c/dog": "dog"}, "several around them"),
        ({"train/cat": "cat", "val/cat": "cat", "val/dog": "dog"}, "parts of a data set"),
        ({"in/Train/cat": "cat", "in/Test/dog": "dog"}, "parts in a folder, capitals"),
        ({"cat/small": "cat", "cat/large": "cat", "dog": "dog"}, "folders inside a class"),
        ({"photos": ""}, "one folder tells nothing apart"),
        ({"": ""}, "no folder"),
        ({"": "", "cat": "cat"}, "some beside the folder"),
        ({"./cat": "cat", "dog/": "dog"}, "dots and slashes"),
        ({}, "nothing"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_labels_are_the_classes(labels: dict[str, str], why: str) -> None:
    assert labels_of_folders(labels) == labels


def test_a_label_has_one_spelling_and_no_odd_characters() -> None:
    assert as_label(" cafe\u0301\u202e\0 ") == "caf\u00e9"
    assert len(as_label("x" * 500)) == 120


@pytest.mark.parametrize("path", ["a.png", "cat/a.png", "کتاب/نمی‌خواهم.png", "日本/猫.png", "a..b/c...png"])
def test_names_of_every_script_are_taken(path: str) -> None:
    assert fault_of_path(path) == ""


@pytest.mark.parametrize("path", [".DS_Store", "a/Thumbs.db", "__MACOSX/a/._b.png", ".git/config"])
def test_what_systems_leave_behind_is_nobodys_photograph(path: str) -> None:
    assert is_system_file(path)
    assert not is_system_file(f"cat/{path.replace('.', 'x').replace('_', 'x')}.png")
