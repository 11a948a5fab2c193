"""python manage.py import_images FOLDER_OR_ZIP --image-set SLUG [--licence ...] [--source ...]"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.stimuli import services
from survey_site.stimuli.image_names import folder_of, is_image_name
from survey_site.stimuli.licences import LICENCES
from survey_site.stimuli.models import ImageSet, ImageUpload, Outcome


class Command(BaseCommand):
    help = "Import a folder or a ZIP of images into an image set; names of folders become labels."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="FOLDER_OR_ZIP")
        parser.add_argument("--image-set", required=True, help="slug of the set; made if there is none")
        parser.add_argument(
            "--licence", default="", help=f"for a new set: {', '.join(LICENCES)}, or another in words"
        )
        parser.add_argument("--source", default="", help="for a new set: who made the images, from where")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["folder"]
        if not path.is_dir() and not path.is_file():
            raise CommandError(f"{path} is not a folder or a ZIP")
        image_set = self._image_set(options)
        try:
            upload = _import_folder(image_set, path) if path.is_dir() else _import_zip(image_set, path)
        except services.StoreTrouble as trouble:
            raise CommandError(f"{trouble}; the same command goes on") from trouble
        self._tell(image_set, upload)

    def _image_set(self, options: dict[str, Any]) -> ImageSet:
        slug = options["image_set"]
        if known := ImageSet.objects.filter(slug=slug).first():
            return known
        missing = [f"--{name}" for name in ("licence", "source") if not options[name].strip()]
        if missing:
            raise CommandError(
                f"{slug} is a new image set: give {' and '.join(missing)}, so that others know what they may "
                f"do with the images; usual licences: {', '.join(LICENCES)}"
            )
        return ImageSet.objects.create(
            slug=slug, name=slug, licence=options["licence"].strip(), source=options["source"].strip()
        )

    def _tell(self, image_set: ImageSet, upload: ImageUpload) -> None:
        for file in upload.files.exclude(outcome=Outcome.ADDED).select_related("target"):
            if file.outcome == Outcome.REFUSED:
                self.stderr.write(f"refused {file.path}: {file.reason}")
            else:
                self.stdout.write(f"{file.path} is there already: {file.target}")
        n = {outcome: upload.files.filter(outcome=outcome).count() for outcome in Outcome}
        self.stdout.write(
            f"{n[Outcome.ADDED]} added, {n[Outcome.DUPLICATE]} there already, {n[Outcome.REFUSED]} refused; "
            f"the set has {image_set.targets.count()} images"
        )


def _import_folder(image_set: ImageSet, folder: Path) -> ImageUpload:
    files = sorted(_files_in(folder))
    inside = {path: path.relative_to(folder).as_posix() for path in files}
    folders = [folder_of(name) for name in inside.values() if is_image_name(name)]
    upload = services.start_upload(image_set=image_set, folders=folders)
    for path, name in inside.items():
        if path.is_dir() or not path.exists():
            reason = "a link to a folder or to nothing; allowed: files, and links to files"
            services.refuse_file(upload=upload, path=name, reason=reason)
            continue
        with path.open("rb") as file:
            services.import_file(upload=upload, path=name, file=file, size=path.stat().st_size)
    _read_archives(upload)
    return upload


def _files_in(folder: Path) -> Iterator[Path]:
    """Files, and links. Those to folders are not followed: one could lead round in a circle."""
    for root, folders, names in os.walk(folder):
        paths = [Path(root) / name for name in [*folders, *names]]
        yield from (path for path in paths if path.is_file() or path.is_symlink())


def _import_zip(image_set: ImageSet, path: Path) -> ImageUpload:
    upload = services.start_upload(image_set=image_set)
    with path.open("rb") as file:
        services.import_file(upload=upload, path=path.name, file=file, size=path.stat().st_size)
    _read_archives(upload)
    return upload


def _read_archives(upload: ImageUpload) -> None:
    read, n_entries = services.progress_of(upload)
    while read < n_entries:
        read, n_entries = services.continue_upload(upload=upload)
