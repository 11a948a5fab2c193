"""Who the caller is."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.models import ApiToken, Scope
from survey_site.access.rest.views import ResearcherView


class MeShape(serializers.Serializer):
    user = serializers.CharField()
    is_superuser = serializers.BooleanField()
    token = serializers.CharField(
        allow_null=True, help_text="Its name; null for a browser that is logged in."
    )
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))
    expires_at = serializers.DateTimeField(allow_null=True)

    class Meta:
        ref_name = "Me"


class MeView(ResearcherView):
    serializer_class = MeShape
    pagination_class = None

    @extend_schema(operation_id="me")
    def retrieve(self, request: Request) -> Response:
        """Whose token this is, and what it may do."""
        token = request.auth if isinstance(request.auth, ApiToken) else None
        return Response(
            {
                "user": request.user.get_username(),
                "is_superuser": bool(getattr(request.user, "is_superuser", False)),
                "token": token.name if token else None,
                "scopes": token.scopes if token else Scope.values,
                "expires_at": token.expires_at if token else None,
            }
        )
