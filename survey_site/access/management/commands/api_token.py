"""python manage.py api_token (make|list|revoke) USER [--name NAME] [--scopes read write ...]"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from survey_site.access.models import ApiToken, Scope
from survey_site.access.people import NoSuchPerson, person
from survey_site.access.tokens import DEFAULT_DAYS, TokenRefused, make_token, revoke_token


class Command(BaseCommand):
    help = "Make, list or revoke a researcher's API tokens. A token is printed once, when it is made."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["make", "list", "revoke"])
        parser.add_argument("user", help="username")
        parser.add_argument("--name", default="", help="what the token is for")
        parser.add_argument(
            "--scopes", nargs="+", default=[Scope.READ], choices=Scope.values, help="default: read"
        )
        expiry = parser.add_mutually_exclusive_group()
        expiry.add_argument("--days", type=int, default=DEFAULT_DAYS, help=f"default: {DEFAULT_DAYS}")
        expiry.add_argument("--forever", action="store_true", help="it never expires")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = person(options["user"])
        except NoSuchPerson as error:
            raise CommandError(str(error)) from None
        {"make": self._make, "list": self._list, "revoke": self._revoke}[options["action"]](user, options)

    def _make(self, user: Any, options: dict[str, Any]) -> None:
        days = None if options["forever"] else options["days"]
        try:
            token, text = make_token(user=user, name=options["name"], scopes=options["scopes"], days=days)
        except TokenRefused as refusal:
            raise CommandError(str(refusal)) from None
        until = "for ever" if token.expires_at is None else f"until {token.expires_at:%Y-%m-%d}"
        self.stderr.write(f"{token}: {', '.join(token.scopes)}; valid {until}; it is not shown again")
        self.stdout.write(text)

    def _list(self, user: Any, options: dict[str, Any]) -> None:
        valid = set(ApiToken.objects.usable().filter(user=user).values_list("pk", flat=True))
        for token in ApiToken.objects.filter(user=user):
            state = "valid" if token.pk in valid else "revoked" if token.revoked_at else "expired"
            used = f"last used {token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never used"
            self.stdout.write(f"{token}: {state}; {', '.join(token.scopes)}; {used}")

    def _revoke(self, user: Any, options: dict[str, Any]) -> None:
        valid = ApiToken.objects.filter(user=user, revoked_at=None)
        token = valid.filter(name=options["name"]).first()
        if token is None:
            known = ", ".join(valid.values_list("name", flat=True)) or "none"
            raise CommandError(f"{user} has no token {options['name']!r}; there are: {known}")
        revoke_token(token)
        self.stdout.write(f"{token} is revoked")
