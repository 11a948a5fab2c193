"""What studies and their parts look like to programs; the names are those of a study file."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from survey_site.access.models import Role
from survey_site.studies.models import CODES, Condition, Question, Study, StudyStatus, StudyText, StudyVersion
from survey_site.studies.study_document import CONDITION_SETTINGS, SETTINGS, TEXT_FIELDS


class SettingsShape(serializers.ModelSerializer):
    class Meta:
        model = Study
        fields = [*SETTINGS]
        ref_name = "StudySettings"


class SomeSettings(SettingsShape):
    """Those that are left out stay as they are."""

    class Meta(SettingsShape.Meta):
        extra_kwargs = {key: {"required": False} for key in SETTINGS}
        ref_name = "SomeStudySettings"


class VersionLine(serializers.ModelSerializer):
    class Meta:
        model = StudyVersion
        fields = ["number", "sha256", "created_at"]
        ref_name = "VersionLine"


def without_codes(settings: dict[str, Any]) -> dict[str, Any]:
    """For viewers and analysts: every code is empty."""
    return {**settings, **{name: "" for name in CODES if name in settings}}


class WholeVersion(VersionLine):
    settings = serializers.DictField(help_text="Completion codes are empty for viewers and analysts.")
    texts = serializers.DictField()

    class Meta(VersionLine.Meta):
        fields = [*VersionLine.Meta.fields, "settings", "texts"]
        ref_name = "Version"


class StudyLine(serializers.ModelSerializer):
    class Meta:
        model = Study
        fields = ["slug", "name", "status", "revision", "created_at"]
        read_only_fields = ["status", "revision", "created_at"]
        extra_kwargs: ClassVar[dict[str, Any]] = {"slug": {"validators": []}}
        ref_name = "StudyLine"


class WholeStudy(StudyLine):
    settings = SettingsShape(
        source="*", read_only=True, help_text="Completion codes are empty for viewers and analysts."
    )
    role = serializers.ChoiceField(choices=Role.choices, read_only=True, help_text="Yours.")
    version = VersionLine(source="current_version", read_only=True, allow_null=True, help_text="The latest.")
    participant_link = serializers.CharField(read_only=True)

    class Meta(StudyLine.Meta):
        fields = [*StudyLine.Meta.fields, "settings", "role", "version", "participant_link"]
        ref_name = "Study"


class NewStudy(serializers.ModelSerializer):
    settings = SomeSettings(required=False)

    class Meta:
        model = Study
        fields = ["slug", "name", "settings"]
        extra_kwargs: ClassVar[dict[str, Any]] = {"slug": {"validators": []}}
        ref_name = "NewStudy"


class StudyChanges(serializers.ModelSerializer):
    settings = SomeSettings(required=False)

    class Meta:
        model = Study
        fields = ["name", "settings"]
        extra_kwargs: ClassVar[dict[str, Any]] = {"name": {"required": False}}
        ref_name = "StudyChanges"


class CloneShape(serializers.ModelSerializer):
    with_conditions = serializers.BooleanField(default=True)

    class Meta:
        model = Study
        fields = ["slug", "name", "with_conditions"]
        extra_kwargs: ClassVar[dict[str, Any]] = {"slug": {"validators": []}}
        ref_name = "Clone"


class StudyFilter(serializers.Serializer):
    status = serializers.ChoiceField(choices=StudyStatus.choices, required=False)


class ReadinessShape(serializers.Serializer):
    missing = serializers.ListField(
        child=serializers.CharField(), help_text="What keeps the study from opening, a sentence each."
    )
    trials = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="What opening now would make: main, catch, practice, per_participant, repeats, left_over.",
    )

    class Meta:
        ref_name = "Readiness"


class ConditionShape(serializers.ModelSerializer):
    network = serializers.SlugField(source="layer.network.slug", help_text="Slug.")
    layer = serializers.CharField(source="layer.name", max_length=200)
    recipe = serializers.CharField(source="recipe.sha256", max_length=64, help_text="sha256")
    image_set = serializers.SlugField(source="image_set.slug", help_text="Slug.")

    class Meta:
        model = Condition
        fields = ["slug", "network", "layer", "recipe", "image_set", *CONDITION_SETTINGS]
        read_only_fields = ["slug"]
        validators: list[Any] = []
        ref_name = "Condition"


class TextShape(serializers.ModelSerializer):
    class Meta:
        model = StudyText
        fields = ["language", *TEXT_FIELDS]
        read_only_fields = ["language"]
        validators: list[Any] = []
        ref_name = "StudyText"


class QuestionShape(serializers.ModelSerializer):
    choices = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="One a line: “value = label”, or a label."
    )

    class Meta:
        model = Question
        fields = ["language", "name", "kind", "label", "choices", "minimum", "maximum", "is_required"]
        read_only_fields = ["language"]
        validators: list[Any] = []
        ref_name = "Question"

    def to_representation(self, instance: Any) -> Any:
        lines = [line.strip() for line in instance.choices.splitlines() if line.strip()]
        return {**{name: getattr(instance, name) for name in self.Meta.fields}, "choices": lines}


class QuestionsShape(serializers.Serializer):
    questions = QuestionShape(many=True)


class RulesShape(serializers.Serializer):
    """`[{"rule": "catch_rate", "minimum": 0.75}, ...]` in the order in which they speak."""

    exclusion_rules = serializers.ListField(child=serializers.DictField(), max_length=20)


class IconShape(serializers.Serializer):
    label = serializers.CharField(read_only=True)
    sha256 = serializers.CharField(source="image.sha256", read_only=True)

    class Meta:
        ref_name = "Icon"


class IconFile(serializers.Serializer):
    file = serializers.FileField()
