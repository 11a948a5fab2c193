"""python manage.py share (study|network|image-set) SLUG USER ROLE"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.access.models import Role
from survey_site.access.sharing import SharingRefused, share, unshare
from survey_site.stimuli.models import ImageSet, Network
from survey_site.studies.management.named import named_person
from survey_site.studies.models import Study

KINDS: dict[str, Any] = {"study": Study, "network": Network, "image-set": ImageSet}
NOBODY = "none"


class Command(BaseCommand):
    help = "Give a researcher a role on a study, a network or an image set, or take it (none)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=list(KINDS))
        parser.add_argument("slug")
        parser.add_argument("user", help="username")
        parser.add_argument("role", choices=[*Role.values, NOBODY])
        parser.add_argument("--by", help="username of whoever shares, for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        thing = self._thing(options["kind"], options["slug"])
        user, by = named_person(options["user"]), named_person(options["by"])
        try:
            if options["role"] == NOBODY:
                unshare(thing=thing, user=user, by=by)
            else:
                share(thing=thing, user=user, role=Role(options["role"]), by=by)
        except SharingRefused as refusal:
            raise CommandError(str(refusal)) from None
        role = "no role" if options["role"] == NOBODY else f"the role {options['role']}"
        self.stdout.write(f"{user} has {role} on {options['kind']} {thing.slug}")

    def _thing(self, kind: str, slug: str) -> Any:
        found = KINDS[kind].objects.filter(slug=slug).first()
        if found is None:
            known = (
                ", ".join(KINDS[kind].objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
            )
            raise CommandError(f"there is no {kind} {slug!r}; there are: {known}")
        return found
