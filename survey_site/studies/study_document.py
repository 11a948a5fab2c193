"""A whole study as one document without database ids: what a study file holds, for git and other sites."""

from __future__ import annotations

import json
from decimal import Decimal
from enum import Enum
from typing import Any

import yaml

from survey_site.studies.models import Condition, Question, Study
from survey_site.studies.texts import FIELDS, OPTIONAL_FIELDS

SCHEMA = 1
NOT_SETTINGS = {"id", "slug", "name", "status", "revision", "created_by", "created_at"}
SETTINGS = {field.name: field for field in Study._meta.concrete_fields if field.name not in NOT_SETTINGS}
#: What a condition has beside the rows that it points at.
CONDITION_SETTINGS = ("shows", "iri_seed", "include_failed", "format", "foil_rule", "n_options")
QUESTION_SETTINGS = ("name", "kind", "label", "choices", "minimum", "maximum", "is_required")
TEXT_FIELDS = ("title", *FIELDS, *OPTIONAL_FIELDS)


def study_document(study: Study) -> dict[str, Any]:
    """The study by slugs and hashes, names in a fixed order."""
    conditions = list(study.conditions.with_pairs().order_by("slug"))
    return {
        "irisurvey_study": SCHEMA,
        "slug": study.slug,
        "name": study.name,
        "settings": {name: _plain(getattr(study, name)) for name in SETTINGS},
        "conditions": {one.slug: _condition(one) for one in conditions},
        "recipes": {
            recipe.sha256: {"name": recipe.name, "preset": recipe.preset, "spec": json.loads(recipe.spec)}
            for recipe in sorted({one.recipe for one in conditions}, key=lambda recipe: recipe.sha256)
        },
        "texts": {
            text.language: {name: getattr(text, name) for name in TEXT_FIELDS}
            for text in study.texts.order_by("pk")
        },
        "questions": _questions(study),
        "icons": dict(study.icons.order_by("label").values_list("label", "image__sha256")),
        "exclusion_rules": [rule.as_rule().to_dict() for rule in study.exclusion_rules.all()],
    }


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "network": condition.layer.network.slug,
        "weights_sha256": condition.layer.network.weights_sha256,
        "layer": condition.layer.name,
        "recipe": condition.recipe.sha256,
        "image_set": condition.image_set.slug,
        **{name: _plain(getattr(condition, name)) for name in CONDITION_SETTINGS},
    }


def _questions(study: Study) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for question in study.questions.all():
        found.setdefault(question.language, []).append(question_facts(question))
    return found


def question_facts(question: Question) -> dict[str, Any]:
    lines = [line.strip() for line in question.choices.splitlines() if line.strip()]
    return {**{name: _plain(getattr(question, name)) for name in QUESTION_SETTINGS}, "choices": lines}


def _plain(value: Any) -> Any:
    """As JSON has it; rows that were just made hold members of their choices."""
    if isinstance(value, Enum):
        return value.value
    return f"{value:.2f}" if isinstance(value, Decimal) else value


def to_json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


class Dumper(yaml.CSafeDumper):
    """Texts of several lines stand as they are read, so that a change of one line is one line in git."""


def _text(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, _text)


def to_yaml(document: dict[str, Any]) -> str:
    return str(yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100))
