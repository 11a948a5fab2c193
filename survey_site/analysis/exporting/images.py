"""The images of a study as a ZIP file, with stimuli.csv, which says what each is."""

from __future__ import annotations

from collections.abc import Iterator

from survey_site.analysis.exporting.copying import Told
from survey_site.analysis.exporting.csv_text import csv_text
from survey_site.analysis.exporting.selection import Selection
from survey_site.analysis.exporting.stimuli import image_name, images_of, stimulus_facts
from survey_site.analysis.exporting.zips import Member, zipped
from survey_site.analysis.stimulus_columns import STIMULUS_COLUMNS


def images_zip(selection: Selection, told: Told) -> Iterator[bytes]:
    """What the versions show, and the targets and start images of their IRIs; each file once."""
    return zipped(_members(selection, told), deflated=False)


def _members(selection: Selection, told: Told) -> Iterator[Member]:
    yield "stimuli.csv", stimuli_csv(selection)
    images = images_of(selection)
    total = images.count()
    for done, image in enumerate(images.iterator(chunk_size=500), start=1):
        with image.file.open("rb") as file:
            yield image_name(image), file.read()
        told(done, total)


def stimuli_csv(selection: Selection) -> Iterator[bytes]:
    return (text.encode() for text in csv_text(STIMULUS_COLUMNS, stimulus_facts(selection)))
