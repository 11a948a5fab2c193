"""Who holds which role on a study, an image set or a network: for its owners."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import URLPattern
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.models import Membership, Role, Scope
from survey_site.access.people import NoSuchPerson, person
from survey_site.access.rest.errors import ApiError
from survey_site.access.rest.routes import at
from survey_site.access.rest.views import ResearcherView
from survey_site.access.sharing import SharingRefused, share, unshare


class MemberShape(serializers.Serializer):
    user = serializers.CharField(source="user.username", read_only=True)
    role = serializers.ChoiceField(choices=Role.choices)

    class Meta:
        ref_name = "Member"


class MembersView(ResearcherView):
    """Made for each kind of thing by a subclass that says which rows there are."""

    serializer_class = MemberShape
    scopes = {"update": Scope.SHARE, "destroy": Scope.SHARE}
    refusals = (SharingRefused,)

    def things(self) -> QuerySet[Any]:
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        return Membership.objects.all()

    def _thing(self, slug: str) -> Any:
        return self.shared(self.things(), Role.OWNER, slug=slug)

    def list(self, request: Request, slug: str) -> Response:
        """Everybody who holds a role on it."""
        roles = Membership.objects.on(self._thing(slug))
        return self.paged(roles, lambda page: list(MemberShape(page, many=True).data))

    @extend_schema(request=MemberShape, responses=MemberShape)
    def update(self, request: Request, slug: str, username: str) -> Response:
        """Give somebody this role, instead of one that they hold."""
        thing, user = self._thing(slug), self._person(username)
        share(thing=thing, user=user, role=Role(self.given(MemberShape)["role"]), by=request.user)
        return Response(MemberShape(Membership.objects.on(thing).get(user=user)).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, slug: str, username: str) -> Response:
        """Take somebody's role. Somebody who held none is no error."""
        unshare(thing=self._thing(slug), user=self._person(username), by=request.user)
        return Response(status=204)

    def _person(self, username: str) -> Any:
        try:
            return person(username)
        except NoSuchPerson:
            raise ApiError("not_found", f"there is no researcher {username!r}") from None


def members_of(address: str, view: type[MembersView], name: str) -> list[URLPattern]:
    """The addresses of a thing's members, below its own."""
    return [
        at(f"{address}members/", view, f"{name}-members", get="list"),
        at(f"{address}members/<str:username>/", view, f"{name}-member", put="update", delete="destroy"),
    ]
