"""python manage.py import_images FOLDER --image-set SLUG"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.stimuli import services
from survey_site.stimuli.models import ImageSet


class Command(BaseCommand):
    help = "Import a folder of images into an image set; names of sub-folders become labels."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--image-set", required=True, help="slug of the set; made if there is none")
        parser.add_argument("--licence", default="")
        parser.add_argument("--source", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"]
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder")
        image_set, _ = ImageSet.objects.get_or_create(
            slug=options["image_set"],
            defaults={
                "name": options["image_set"],
                "licence": options["licence"],
                "source": options["source"],
            },
        )
        report = services.import_images(
            image_set=image_set,
            files=(
                (path.name, path.read_bytes(), "" if path.parent == folder else path.parent.name)
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            ),
        )
        for name, reason in report.refused:
            self.stderr.write(f"refused {name}: {reason}")
        self.stdout.write(
            f"{len(report.added)} added, {len(report.duplicates)} there already, "
            f"{len(report.refused)} refused; the set has {image_set.targets.count()} images"
        )
