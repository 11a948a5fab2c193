"""What all views of the researchers' API have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.viewsets import GenericViewSet

from survey_site.access.models import Scope
from survey_site.access.rest import errors
from survey_site.access.rest.authentication import AdminSession, BearerToken
from survey_site.access.rest.pagination import Cursor
from survey_site.access.rest.parsing import FirstRenderer, StorableJSON
from survey_site.access.rest.permissions import MayCall
from survey_site.access.rest.schema import ResearcherSchema
from survey_site.access.rest.throttling import PerToken
from survey_site.access.roles import Role, require_role

PAGING = ("limit", "cursor")


class ResearcherView(GenericViewSet):
    """`scopes` by action, where reading and writing do not fit; `refusals` are exceptions of services that
    mean 409, `outages` those that mean 503; `statuses` by action are answers that the description cannot
    know of itself.
    """

    authentication_classes = [BearerToken, AdminSession]
    permission_classes = [MayCall]
    throttle_classes = [PerToken]
    parser_classes = [StorableJSON]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = FirstRenderer
    pagination_class = Cursor
    metadata_class = None  # OPTIONS has nothing to add to the description
    schema = ResearcherSchema()
    _is_asked = False
    scopes: ClassVar[dict[str, Scope]] = {}
    statuses: ClassVar[dict[str, tuple[int, ...]]] = {}
    refusals: tuple[type[Exception], ...] = ()
    outages: tuple[type[Exception], ...] = ()

    def get_exception_handler(self) -> Callable[..., Any]:
        return errors.handle

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if any("\0" in str(part) for part in kwargs.values()):
            raise Http404("no address of a thing holds a NUL character")

    def given(self, serializer: type[Serializer], *, partial: bool = False, **context: Any) -> dict[str, Any]:
        """The request's body, checked."""
        checked = serializer(
            data=self.request.data, partial=partial, context={**self.get_serializer_context(), **context}
        )
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)

    def body(self) -> dict[str, Any]:
        """The request's body as it was sent; an object, once it was `given`."""
        return dict(self.request.data)

    def asked(self, serializer: type[Serializer]) -> dict[str, Any]:
        """The request's query parameters, checked."""
        self._is_asked = True
        given = self.request.query_params.dict()
        checked = serializer(data=given, context=self.get_serializer_context())
        allowed = [*checked.fields, *PAGING]
        if unknown := [name for name in given if name not in allowed]:
            sentence = f"there is no such parameter; allowed: {', '.join(allowed)}"
            raise ValidationError(dict.fromkeys(unknown, sentence))
        checked.is_valid(raise_exception=True)
        return dict(checked.validated_data)

    def shared(self, rows: QuerySet[Any], role: Role = Role.VIEWER, **key: Any) -> Any:
        """The row, if this person holds the role on it: else 404 for a stranger, 403 for a lesser role."""
        row = rows.filter(**key).first()
        if row is None:
            raise missing(rows.model)
        require_role(self.request.user, role, row)
        return row

    def paged(self, rows: QuerySet[Any], shape: Callable[[list[Any]], list[Any]]) -> Any:
        """One page of the rows, each page shaped at once so that nothing is asked row by row."""
        if not self._is_asked:
            self.asked(Serializer)
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(shape(list(page or [])))


def missing(model: type[Model]) -> Http404:
    """The same words for what is not there and what is not shared."""
    return Http404(f"there is no such {model._meta.verbose_name}")
