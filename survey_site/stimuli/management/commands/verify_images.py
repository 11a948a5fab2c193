"""python manage.py verify_images [--sample 10]"""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.stimuli import services
from survey_site.stimuli.models import CheckStatus, IRICheck, StoredImage

POLL_SECONDS = 0.5


class Command(BaseCommand):
    help = "Hash every stored image again, and have workers measure a sample of IRIs again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sample", type=int, default=10, help="IRIs to measure again; 0: none")
        parser.add_argument("--seed", type=int, default=0, help="RNG seed of the sample")
        parser.add_argument("--timeout", type=float, default=600, help="seconds to wait for workers")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["sample"] < 0:
            raise CommandError(f"--sample is {options['sample']}; allowed: whole numbers from 0")
        if not options["timeout"] > 0:
            raise CommandError(f"--timeout is {options['timeout']:g}; allowed: seconds above 0")
        problems = self._hashes() + self._disowned() + self._measurements(options)
        if problems:
            raise CommandError(f"{problems} problems")
        self.stdout.write(self.style.SUCCESS("no problem"))

    def _hashes(self) -> int:
        broken = 0
        for image, trouble in services.broken_images():
            broken += 1
            self.stderr.write(f"image {image.sha256} ({image.file.name}): {trouble}")
        self.stdout.write(
            f"{StoredImage.objects.count() - broken} images have the bytes that they are named by"
        )
        return broken

    def _disowned(self) -> int:
        iris = services.disowned_iris()
        for iri in iris:
            self.stderr.write(f"IRI {iri.pk}: its image is not the one that its provenance names")
        return len(iris)

    def _measurements(self, options: Any) -> int:
        if not options["sample"]:
            return 0
        asked = [
            check.pk for check in services.ask_for_checks(sample=options["sample"], seed=options["seed"])
        ]
        checks = self._wait(asked, options["timeout"])
        waiting = sum(check.status == CheckStatus.PENDING for check in checks)
        if waiting:
            raise CommandError(
                f"{waiting} of {len(checks)} IRIs were not measured again within {options['timeout']:g} s: "
                "is a worker running, and free? They stay asked for; --timeout waits longer"
            )
        wrong = [check for check in checks if check.status != CheckStatus.AGREES]
        for check in wrong:
            self.stderr.write(
                f"IRI {check.iri_id}: {check.get_status_display()}: {check.reason}".rstrip(": ")
            )
        self.stdout.write(f"{len(checks) - len(wrong)} of {len(checks)} IRIs measured again agree")
        return len(wrong)

    def _wait(self, asked: list[int], timeout: float) -> list[IRICheck]:
        until = time.monotonic() + timeout
        checks = IRICheck.objects.filter(pk__in=asked)
        while checks.filter(status=CheckStatus.PENDING).exists() and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        return list(checks.all())
