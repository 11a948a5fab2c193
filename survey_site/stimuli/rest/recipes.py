"""Recipes: presets with changes, or one of one's own."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from survey_site.access.rest.errors import ApiError
from survey_site.access.rest.views import ResearcherView, missing
from survey_site.stimuli import services
from survey_site.stimuli.models import Recipe
from workers.iri import recipe as iri_recipe


class SpecField(serializers.JSONField):
    """A recipe as an object; kept as its canonical JSON."""

    def to_representation(self, value: str) -> Any:
        return json.loads(value)


class RecipeShape(serializers.ModelSerializer):
    spec = extend_schema_field({"type": "object", "additionalProperties": True})(SpecField)()

    class Meta:
        model = Recipe
        fields = ["sha256", "name", "preset", "spec", "created_at"]
        ref_name = "Recipe"


class NewRecipe(serializers.Serializer):
    """Either a `preset` with an image size and steps, or a `spec` of one's own with a `name`."""

    preset = serializers.ChoiceField(choices=sorted(iri_recipe.PRESETS), required=False)
    image_size = serializers.IntegerField(
        required=False, min_value=iri_recipe.SMALLEST_IMAGE, max_value=iri_recipe.LARGEST_IMAGE
    )
    steps = serializers.IntegerField(required=False, min_value=1, max_value=iri_recipe.MOST_STEPS)
    name = serializers.CharField(required=False, max_length=120)
    spec = serializers.DictField(required=False)

    class Meta:
        ref_name = "NewRecipe"

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if ("preset" in given) == ("spec" in given):
            raise serializers.ValidationError("give exactly one of: preset, spec")
        if "spec" in given and "name" not in given:
            raise serializers.ValidationError({"name": "a recipe of your own needs a name"})
        return given


class RecipesView(ResearcherView):
    serializer_class = RecipeShape
    refusals = (services.RecipeRefused,)

    def get_queryset(self) -> QuerySet[Recipe]:
        return Recipe.objects.all()

    def list(self, request: Request) -> Response:
        """All recipes; they are everybody's, and never change."""
        return self.paged(self.get_queryset(), lambda page: list(RecipeShape(page, many=True).data))

    @extend_schema(request=NewRecipe, responses={201: RecipeShape})
    def create(self, request: Request) -> Response:
        """Store a recipe. That of a preset may be there already: it is the same one then."""
        given = self.given(NewRecipe)
        try:
            recipe = self._stored(given)
        except iri_recipe.RecipeError as error:
            where = "spec" if "spec" in given else "preset"
            raise ApiError("invalid", str(error), errors=[(where, str(error))]) from None
        return Response(RecipeShape(recipe).data, status=201)

    def _stored(self, given: dict[str, Any]) -> Recipe:
        if "spec" in given:
            made = iri_recipe.Recipe.from_json(json.dumps(given["spec"]))
            return services.store_recipe(recipe=made, name=given["name"])
        changes = {name: given[name] for name in ("image_size", "steps") if name in given}
        return services.save_recipe(iri_recipe.preset(given["preset"], **changes), preset=given["preset"])

    def retrieve(self, request: Request, sha256: str) -> Response:
        """One recipe."""
        recipe = Recipe.objects.filter(sha256=sha256).first()
        if recipe is None:
            raise missing(Recipe)
        return Response(RecipeShape(recipe).data)
