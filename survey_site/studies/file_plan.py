"""From a study file's document to rows: everything that is wrong is found at once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

from survey_site.access.models import User
from survey_site.stimuli.models import Recipe, StoredImage
from survey_site.stimuli.services import save_recipe
from survey_site.studies.exclusion_rules import ExclusionError, Researcher, Rule, refuse_twice, rule_from_dict
from survey_site.studies.file_checks import Faults, check_names, entries_of, list_of, shown, value_of
from survey_site.studies.file_conditions import Shared, conditions_of
from survey_site.studies.file_reading import StudyFileError
from survey_site.studies.models import LabelIcon, Question, Study, StudyText
from survey_site.studies.questionnaire import fault_of
from survey_site.studies.study_document import (
    QUESTION_SETTINGS,
    SCHEMA,
    SETTINGS,
    TEXT_FIELDS,
)
from survey_site.studies.texts import DEFAULT_TEXTS, FIELDS
from workers.iri.recipe import Recipe as IRIRecipe
from workers.iri.recipe import RecipeError

PARTS = (
    "irisurvey_study", "slug", "name", "settings", "conditions", "recipes", "texts", "questions", "icons",
    "exclusion_rules",
)  # fmt: skip


@dataclass
class Plan:
    """A checked document as rows will be written; conditions by slug, texts by language, icons by label."""

    study: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, dict[str, Any]] = field(default_factory=dict)
    texts: dict[str, dict[str, Any]] = field(default_factory=dict)
    questions: list[dict[str, Any]] = field(default_factory=list)
    icons: dict[str, StoredImage] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)


def plan_of(document: dict[str, Any], *, by: User | None, into: Study | None = None) -> Plan:
    """What the document makes of a study: a new one, or `into`, which may keep what it points at already.

    Raises StudyFileError with every fault: path, value, what is allowed. Recipes that are not here yet are
    stored; within a transaction.
    """
    faults = check_names(document, "", PARTS, required=("irisurvey_study", "slug", "name"))
    if document.get("irisurvey_study", SCHEMA) != SCHEMA:
        faults.append(("irisurvey_study", f"is {shown(document['irisurvey_study'])}; allowed: {SCHEMA}"))
    if faults:
        raise StudyFileError(faults)
    recipes = _recipes(document.get("recipes", {}), faults)
    plan = Plan(
        study=_study(document, faults),
        conditions=conditions_of(document.get("conditions", {}), recipes, Shared(by, into), faults),
        texts=_texts(document.get("texts", {"en": DEFAULT_TEXTS}), faults),
        questions=question_rows(document.get("questions", {}), faults),
        icons=_icons(document.get("icons", {}), _icons_seen(by, into), faults),
        rules=rules_of(document.get("exclusion_rules", []), faults),
    )
    if faults:
        raise StudyFileError(faults)
    return plan


def _study(document: dict[str, Any], faults: Faults) -> dict[str, Any]:
    given = document.get("settings", {})
    faults += check_names(given, "settings", SETTINGS)
    values = {
        name: value_of(Study._meta.get_field(name), document[name], name, faults) for name in ("slug", "name")
    }
    for name, column in SETTINGS.items():
        if isinstance(given, dict) and name in given:
            values[name] = value_of(column, given[name], f"settings.{name}", faults)
    return values


def _recipes(given: Any, faults: Faults) -> dict[str, Recipe]:
    """By sha256: those of the file, stored if they are not yet. Others are looked for in the database."""
    found: dict[str, Recipe] = {}
    for sha256, entry in entries_of(given, "recipes", faults).items():
        path = f"recipes.{sha256}"
        wrong = check_names(entry, path, ("name", "preset", "spec"), required=("name", "preset", "spec"))
        names = [(name, value_of(Recipe._meta.get_field(name), entry[name], f"{path}.{name}", wrong))
                 for name in ("name", "preset") if not wrong]  # fmt: skip
        if wrong:
            faults += wrong
            continue
        try:
            recipe = IRIRecipe.from_json(json.dumps(entry["spec"]))
        except RecipeError as error:
            faults.append((f"{path}.spec", f"is no recipe: {error}"))
            continue
        if recipe.sha256 != sha256:
            faults.append((path, f"is the hash of another recipe; that of its spec is {recipe.sha256}"))
            continue
        found[sha256] = save_recipe(recipe, **dict(names))
    return found


def _texts(given: Any, faults: Faults) -> dict[str, dict[str, Any]]:
    found = {}
    for language, entry in entries_of(given, "texts", faults).items():
        path = f"texts.{language}"
        value_of(StudyText._meta.get_field("language"), language, path, faults)
        wrong = check_names(entry, path, TEXT_FIELDS, required=("title", *FIELDS))
        faults += wrong
        if not wrong:
            found[language] = {
                name: value_of(StudyText._meta.get_field(name), entry[name], f"{path}.{name}", faults)
                for name in TEXT_FIELDS
                if name in entry
            }
    return found


def question_rows(given: Any, faults: Faults) -> list[dict[str, Any]]:
    found = []
    for language, entries in entries_of(given, "questions", faults).items():
        value_of(Question._meta.get_field("language"), language, f"questions.{language}", faults)
        names = set()
        for place, entry in enumerate(list_of(entries, f"questions.{language}", faults)):
            path = f"questions.{language}.{place}"
            wrong = check_names(entry, path, QUESTION_SETTINGS, required=("name", "kind", "label"))
            faults += wrong
            if wrong:
                continue
            found.append(
                {"language": language, "position": place + 1, **question_values(entry, path, faults)}
            )
            if entry["name"] in names:
                faults.append(
                    (f"{path}.name", f"is {shown(entry['name'])}, which another question has already")
                )
            names.add(str(entry["name"]))
    return found


def question_values(entry: dict[str, Any], path: str, faults: Faults) -> dict[str, Any]:
    lines = list_of(entry.get("choices", []), f"{path}.choices", faults)
    wrong: Faults = [
        (f"{path}.choices.{place}", f"is {shown(line)}; allowed: one line of text")
        for place, line in enumerate(lines)
        if not isinstance(line, str) or not line.strip() or len(line.splitlines()) != 1
    ]
    values = {
        name: value_of(Question._meta.get_field(name), entry[name], f"{path}.{name}", wrong)
        for name in QUESTION_SETTINGS
        if name in entry and name != "choices"
    }
    if not wrong:
        values["choices"] = "\n".join(lines)
        if fault := fault_of(Question(**values).as_field()):
            wrong.append((path, fault))
    faults += wrong
    return values


def _icons_seen(by: User | None, into: Study | None) -> QuerySet[StoredImage]:
    """Images that the importer may take for icons: those of studies that they see, or all for a command.
    Whoever knows the hash of another image gets nothing by it.
    """
    images = StoredImage.objects.all()
    if by is None:
        return images
    theirs = Q(study__in=Study.objects.visible_to(by)) | Q(study=into)
    return images.filter(pk__in=LabelIcon.objects.filter(theirs).values("image"))


def _icons(given: Any, images: QuerySet[StoredImage], faults: Faults) -> dict[str, StoredImage]:
    found = {}
    for label, sha256 in entries_of(given, "icons", faults).items():
        value_of(LabelIcon._meta.get_field("label"), label, f"icons.{label}", faults)
        image = images.filter(sha256=str(sha256)).first()
        if image is None:
            faults.append(
                (
                    f"icons.{label}",
                    f"is {shown(sha256)}; allowed: the sha256 of an icon of a study shared with you",
                )
            )
        else:
            found[label] = image
    return found


def rules_of(given: Any, faults: Faults) -> list[Rule]:
    rules, before = [], len(faults)
    for place, entry in enumerate(list_of(given, "exclusion_rules", faults)):
        path = f"exclusion_rules.{place}"
        if not isinstance(entry, dict):
            faults.append((path, f'is {shown(entry)}; allowed: an object such as {{"rule": "catch_rate"}}'))
        elif entry.get("rule") == Researcher.name:
            faults.append((f"{path}.rule", "is 'researcher': such exclusions are made one by one, by hand"))
        else:
            try:
                rules.append(rule_from_dict(entry))
            except (ExclusionError, TypeError) as error:
                faults.append((path, f"is {shown(entry)}: {error}"))
    if len(faults) == before:
        try:
            refuse_twice(rules)
        except ExclusionError as error:
            faults.append(("exclusion_rules", str(error)))
    return rules
