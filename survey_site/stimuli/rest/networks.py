"""Networks: listed, registered, corrected; their layers."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.rest.members import MembersView
from survey_site.access.rest.parsing import StorableJSON
from survey_site.access.rest.views import ResearcherView
from survey_site.access.roles import Role
from survey_site.stimuli import services
from survey_site.stimuli.models import Layer, Network

FACTORS = (
    "name", "family", "is_residual", "is_control", "training_loss", "augmentation", "training_set", "epsilon",
)  # fmt: skip
INPUT = ("num_classes", "input_size", "mean", "std")


class ChannelsField(serializers.ListField):
    child = serializers.FloatField(min_value=-1e6, max_value=1e6)

    def __init__(self, **options: Any) -> None:
        super().__init__(min_length=3, max_length=3, **options)


class NetworkShape(serializers.ModelSerializer):
    mean = ChannelsField(allow_null=True, required=False)
    std = ChannelsField(allow_null=True, required=False)

    class Meta:
        model = Network
        fields = ["slug", "source", "architecture", "pretrained", "random_seed", *INPUT, *FACTORS,
                  "weights_sha256", "state", "state_reason", "created_at"]  # fmt: skip
        read_only_fields = ["weights_sha256", "state", "state_reason", "created_at"]
        ref_name = "Network"


class NewNetwork(NetworkShape):
    """Exactly one of `weights` (a .safetensors file), `pretrained` and `random_seed`."""

    weights = serializers.FileField(required=False, write_only=True)

    class Meta(NetworkShape.Meta):
        fields = [*NetworkShape.Meta.fields, "weights"]
        extra_kwargs = {"name": {"required": False}, "num_classes": {"min_value": 1, "max_value": 1_000_000},
                        "input_size": {"min_value": 1, "max_value": 4096},
                        "slug": {"validators": []}}  # fmt: skip
        ref_name = "NewNetwork"

    def validate_weights(self, file: Any) -> Any:
        if not file.name.endswith(".safetensors"):
            raise serializers.ValidationError(
                f"{file.name}: only .safetensors files are taken here; an administrator can register .pt "
                "files with manage.py register_network"
            )
        return file


class FactorsShape(NetworkShape):
    class Meta(NetworkShape.Meta):
        fields = [*FACTORS]
        read_only_fields: list[str] = []
        ref_name = "NetworkFactors"


class LayerShape(serializers.ModelSerializer):
    output_shape = serializers.ListField(child=serializers.IntegerField(), help_text="Per image.")

    class Meta:
        model = Layer
        fields = ["name", "depth", "output_shape", "role"]
        ref_name = "Layer"


class NetworksView(ResearcherView):
    serializer_class = NetworkShape
    parser_classes = [StorableJSON, MultiPartParser]
    refusals = (services.NetworkRefused,)

    def get_queryset(self) -> QuerySet[Network]:
        return Network.objects.visible_to(self.request.user)

    def list(self, request: Request) -> Response:
        """Networks that are shared with you."""
        return self.paged(self.get_queryset(), lambda page: list(NetworkShape(page, many=True).data))

    @extend_schema(request=NewNetwork, responses={201: NetworkShape})
    def create(self, request: Request) -> Response:
        """Register a network. A worker then builds it, and its `state` becomes ready or failed."""
        given = self.given(NewNetwork)
        network = services.register_network(created_by=request.user, **{"name": given["slug"], **given})
        return Response(NetworkShape(network).data, status=201)

    def retrieve(self, request: Request, slug: str) -> Response:
        """One network, with what a worker found out about it."""
        return Response(NetworkShape(self.shared(Network.objects.all(), slug=slug)).data)

    @extend_schema(request=FactorsShape, responses=NetworkShape)
    def partial_update(self, request: Request, slug: str) -> Response:
        """Correct its name and the factors by which results compare; what was built stays as it was built."""
        network = self.shared(Network.objects.all(), Role.EDITOR, slug=slug)
        given = self.given(FactorsShape, partial=True)
        for name, value in given.items():
            setattr(network, name, value)
        network.save(update_fields=list(given))
        return Response(NetworkShape(network).data)

    @extend_schema(responses=LayerShape(many=True))
    def layers(self, request: Request, slug: str) -> Response:
        """Its layers in the order of execution; none before it is ready."""
        self.ordering = ("depth", "pk")
        found = self.shared(Network.objects.all(), slug=slug).layers.all()
        return self.paged(found, lambda page: list(LayerShape(page, many=True).data))


class NetworkMembers(MembersView):
    def things(self) -> QuerySet[Any]:
        return Network.objects.all()
