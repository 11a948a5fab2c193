"""A study as a file: the same bytes there and back, the same version elsewhere, and bad files named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from survey_site.access.models import AuditEvent, Role
from survey_site.access.roles import role_of
from survey_site.studies.exclusion_rules import CatchRate, TooFast
from survey_site.studies.exclusion_services import set_rules
from survey_site.studies.file_reading import MOST_BYTES, StudyFileError, read_document
from survey_site.studies.models import LabelIcon, Question, Study, StudyText
from survey_site.studies.refusals import StudyRefused
from survey_site.studies.services import open_study, pause_study
from survey_site.studies.study_file import export_study_file, import_study_file, replace_by_study_file
from tests.builders import (
    draft_study,
    finished_job,
    icon_image_of,
    image_set,
    member,
    opened_study,
    researcher,
    version_of,
)

pytestmark = pytest.mark.django_db

#: What YAML 1.1 would read as something else, and what text editors and shells like to break.
AWKWARD = "no\n\n# not a comment\n- 1.0\t“quoted”: 'it' & *all* \\n 日本語 🙂  \n\n  trailing  \n"


def rich_study() -> Study:
    """A study with something in every part of its file."""
    study = draft_study("net", "other", minutes=7, base_pay="1.50", time_limit_ms=None, quota=12,
                        completion_code="ABCD", group="no", contact="1e3")  # fmt: skip
    study.texts.update(consent=AWKWARD, title="2026-01-01")
    german = dict.fromkeys(("title", "welcome", "instructions", "debrief", "refused"), "Ja")
    StudyText.objects.create(study=study, language="de", consent="Nein\r\n~", **german)
    for language in ("en", "de"):
        Question.objects.create(study=study, language=language, position=3, name="age", kind="number",
                                label="null", minimum=18, is_required=True)  # fmt: skip
        Question.objects.create(study=study, language=language, position=1, name="hand", kind="choice",
                                label="Hand?", choices="l = left\n\n r=right")  # fmt: skip
    LabelIcon.objects.create(study=study, label="off", image=icon_image_of("off"))
    set_rules(study, [TooFast(), CatchRate(minimum=0.5)])
    study.refresh_from_db()
    return study


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_there_and_back_is_the_same_to_the_byte(kind: str) -> None:
    study = rich_study()
    text = export_study_file(study, kind)
    study.delete()
    again = import_study_file(text.encode())
    assert export_study_file(again, kind) == text
    assert again.texts.get(language="en").consent == AWKWARD
    assert replace_by_study_file(again, text.encode()) == again
    assert export_study_file(again, kind) == text


def test_json_and_yaml_say_the_same() -> None:
    study = rich_study()
    by_json, by_yaml = (read_document(export_study_file(study, kind).encode()) for kind in ("json", "yaml"))
    assert by_json == by_yaml
    assert by_json["settings"]["base_pay"] == "1.50"
    assert yaml.safe_load(export_study_file(study, "yaml")) == by_json


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_in_another_empty_database_it_opens_with_the_same_hash(kind: str) -> None:
    study = rich_study()
    there = open_study(study=study).sha256
    text = export_study_file(study, kind)
    call_command("flush", interactive=False, verbosity=0)
    assert not Study.objects.exists()
    finished_job(3, slug="decoy")  # no id here is what it was there
    for slug in ("other", "net"):
        finished_job(4, slug=slug)
    icon_image_of("off")
    imported = import_study_file(text.encode())
    assert imported.pk != study.pk or imported.created_at != study.created_at
    assert open_study(study=imported).sha256 == there


def changed(study: Study, change: Callable[[dict[str, Any]], Any]) -> bytes:
    document = json.loads(export_study_file(study, "json"))
    change(document)
    return json.dumps(document).encode()


def put(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Sets the last of `path` at the place that the others lead to."""
    *names, last, value = path

    def change(document: dict[str, Any]) -> None:
        for name in names:
            document = document[name]
        document[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (put("irisurvey_study", 2), "irisurvey_study is 2; allowed: 1"),
        (put("minutes", 5), "minutes is no name that is known here; allowed: irisurvey_study, slug"),
        (lambda document: document.pop("name"), "name is missing"),
        (put("slug", "no slug"), "slug is 'no slug'; Enter a valid"),
        (put("settings", "minutes", "5"), "settings.minutes is '5'; allowed: a whole number"),
        (put("settings", "minutes", True), "settings.minutes is True; allowed: a whole number"),
        (put("settings", "minutes", -1), "settings.minutes is -1; Ensure this value is greater"),
        (put("settings", "minutes", 2**40), "settings.minutes is 1099511627776; Ensure"),
        (put("settings", "base_pay", 1.5), "settings.base_pay is 1.5; allowed: an amount in quotes"),
        (put("settings", "base_pay", "much"), "settings.base_pay is 'much'; allowed: an amount"),
        (put("settings", "keyboard_shortcuts", "yes"), "is 'yes'; allowed: true or false"),
        (put("settings", "mobile_policy", "hide"), "is 'hide'; allowed: allow, warn, block"),
        (put("settings", "confidence_levels", 4), "is 4; allowed: 3, 6, or null"),
        (put("settings", "n_catch", None), "settings.n_catch is null; allowed: a whole number"),
        (put("settings", "completion_url", "javascript:1"), "settings.completion_url is 'javascript:1'"),
        (put("settings", []), "settings is []; allowed: an object with minutes"),
        (put("conditions", []), "conditions is []; allowed: an object of at most 500"),
        (put("conditions", "net-pool-reg_free", "network", "nat"), "is 'nat'; allowed: net, other"),
        (put("conditions", "net-pool-reg_free", "network", ["net"]), "is ['net']; allowed: net, other"),
        (put("conditions", "net-pool-reg_free", "layer", "pol"), "has no layer 'pol'; nearest: pool"),
        (put("conditions", "net-pool-reg_free", "weights_sha256", "x"),
         "weights_sha256 is 'x'; network net has weights of net here"),
        (put("conditions", "net-pool-reg_free", "recipe", "f00"), "recipe is 'f00'; allowed: the sha256"),
        (put("conditions", "net-pool-reg_free", "image_set", None), "image_set is None; allowed: net-photos"),
        (put("conditions", "net-pool-reg_free", "n_options", 3), "n_options is 3: "),
        (put("conditions", "net-pool-reg_free", "format", "3afc"), "is '3afc'; allowed: two_afc, matching"),
        (put("conditions", "net-pool-reg_free", "colour", 1), "colour is no name that is known here"),
        (put("recipes", "f00", {"name": "x", "preset": "x", "spec": {}}), "recipes.f00.spec is no recipe: "),
        (put("recipes", {"f00": 3}), "recipes.f00 is 3; allowed: an object with name, preset, spec"),
        (put("texts", "en", "title", 3), "texts.en.title is 3; allowed: text"),
        (put("texts", "a longer one", {}), "texts.a longer one is 'a longer one'; Ensure"),
        (put("questions", "en", [{"name": "x"}]), "questions.en.0.kind is missing"),
        (put("questions", "en", [{"name": "x", "kind": "scale", "label": "y"}]),
         "questions.en.0 a scale needs a smallest and a largest number"),
        (put("questions", "en", 0, "choices", "one"), "choices is 'one'; allowed: a list"),
        (put("questions", "en", 0, "choices", ["a\nb", 3]), "choices.1 is 3; allowed: one line of text"),
        (put("questions", "en", 1, "name", "hand"), "questions.en.1.name is 'hand', which another"),
        (put("icons", "cat", "f00"), "icons.cat is 'f00'; allowed: the sha256 of an icon"),
        (put("exclusion_rules", ["catch_rate"]), "exclusion_rules.0 is 'catch_rate'; allowed: an object"),
        (put("exclusion_rules", [{"rule": "luck"}]), "rule is 'luck'; it must be one of catch_rate"),
        (put("exclusion_rules", [{"rule": "catch_rate", "minimum": 2}]), "minimum is 2; it must be above 0"),
        (put("exclusion_rules", [{"rule": "too_fast"}] * 2), "rule too_fast occurs more than once"),
        (put("exclusion_rules", [{"rule": "researcher", "reasons": {}}]), "made one by one, by hand"),
    ],
)  # fmt: skip
def test_a_bad_file_names_path_value_and_what_is_allowed(change: Any, fault: str) -> None:
    study = rich_study()
    data = changed(study, change)
    with pytest.raises(StudyFileError) as refused:
        replace_by_study_file(study, data)
    assert fault in str(refused.value)


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_written() -> None:
    study = rich_study()
    document = json.loads(export_study_file(study, "json"))
    document["slug"] = "new"
    document["settings"]["minutes"] = document["conditions"]["net-pool-reg_free"]["layer"] = None
    with pytest.raises(StudyFileError) as refused:
        import_study_file(json.dumps(document).encode())
    assert [path for path, _ in refused.value.faults] == [
        "settings.minutes",
        "conditions.net-pool-reg_free.layer",
    ]
    assert Study.objects.count() == 1


BOMB = b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "the file holds NoneType"),
        (b"- 1\n", "the file holds list"),
        (b"\xff\xfe", "the file is not UTF-8 text"),
        (b"x" * (MOST_BYTES + 1), "1,000,001 bytes; at most 1,000,000 are taken"),
        (b"{" * 100_000, "not valid JSON"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
        (b'{"a":' + b"[" * 30 + b"]" * 30 + b"}", "is nested deeper than 12 levels"),
        (b"a: " + b"[" * 100_000, "exceeded maximum nesting depth"),
        (b"a: " + b"[" * 30 + b"]" * 30, "line 1 is nested deeper than 12 levels"),
        (b'{"a": 1, "a": 2}', "the name 'a' occurs twice"),
        (b"a: 1\na: 2\n", "the name 'a' occurs twice"),
        (b"1: a\n", "the name 1 is no text; write it in quotes"),
        (b"? [a]\n: b\n", "is no text"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
        (b'{"a": "\\u0000"}', "a holds a NUL character"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (BOMB, "line 1 has an anchor or alias"),
        (b"a: !!python/object/apply:os.system [ls]\n", "has the tag tag:yaml.org,2002:python"),
        (b"a: !!binary aGk=\n", "has the tag"),
        (b"a: [1\n", "the file is not valid YAML"),
        (b"a: 1\n--- \nb: 2\n", "the file is not valid YAML"),
    ],
)
def test_no_file_holds_the_server(data: bytes, fault: str) -> None:
    with pytest.raises(StudyFileError) as refused:
        read_document(data)
    assert fault in str(refused.value)


def test_yaml_means_what_it_says() -> None:
    text = (
        b"{}"
        if False
        else b"a: no\nb: 2026-01-01\nc: 0x10\nd: 1_000\ne: ~\nf: true\ng: -2\nh: 1.5\ni: 12:30:45\n"
    )
    assert read_document(text) == {
        "a": "no", "b": "2026-01-01", "c": "0x10", "d": "1_000", "e": None, "f": True, "g": -2, "h": 1.5,
        "i": "12:30:45",
    }  # fmt: skip


def test_a_short_file_written_by_hand_is_enough() -> None:
    job = finished_job(4)
    text = f"""
irisurvey_study: 1
slug: by-hand
name: By hand
settings: {{n_catch: 1}}
conditions:
  pool: {{network: net, layer: pool, recipe: {job.recipe.sha256}, image_set: net-photos}}
"""
    bea = member(Role.VIEWER, job.layer.network, job.image_set, name="bea")
    study = import_study_file(text.encode(), by=bea)
    assert (role_of(bea, study), study.created_by, study.n_catch) == (Role.OWNER, bea, 1)
    assert open_study(study=study).number == 1
    assert AuditEvent.objects.filter(action="import study").count() == 1


def test_an_importer_uses_only_what_is_shared_with_them_but_may_keep_what_is_there() -> None:
    study = draft_study()
    text = export_study_file(study, "json").encode()
    eve = member(Role.EDITOR, study, name="eve")
    replace_by_study_file(study, text, by=eve)
    study.delete()
    with pytest.raises(StudyFileError, match="network is 'net'; allowed: none is here, or none is shared"):
        import_study_file(text, by=User.objects.get(username="eve"))


def test_a_slug_that_is_taken_and_another_studys_file_are_refused() -> None:
    study = draft_study()
    text = export_study_file(study, "json").encode()
    with pytest.raises(StudyRefused, match="study 'faces' exists already"):
        import_study_file(text)
    other = Study.objects.create(slug="other-study", name="Other")
    with pytest.raises(StudyRefused, match="the file is of study 'faces', not of 'other-study'"):
        replace_by_study_file(other, text)


def test_an_open_study_takes_no_file_and_a_paused_one_keeps_what_people_saw() -> None:
    study = opened_study("net", "other")
    before = version_of(study).sha256
    data = changed(study, put("settings", "minutes", 9))
    with pytest.raises(StudyRefused, match="'faces' is open"):
        replace_by_study_file(study, data)
    pause_study(study=study)
    study.refresh_from_db()
    with pytest.raises(StudyRefused, match="people saw the conditions net-pool-reg_free"):
        replace_by_study_file(study, changed(study, lambda one: one["conditions"].pop("net-pool-reg_free")))
    with pytest.raises(StudyRefused, match="condition net-pool-reg_free is part of an opened study"):
        replace_by_study_file(study, changed(study, put("conditions", "net-pool-reg_free", "iri_seed", 3)))
    replace_by_study_file(study, data)
    assert open_study(study=study).sha256 != before


def test_commands_write_and_read_files(tmp_path: Path, capsys: Any) -> None:
    study = draft_study()
    call_command("export_study_file", "faces")
    assert capsys.readouterr().out == export_study_file(study, "yaml")
    file = tmp_path / "faces.json"
    call_command("export_study_file", "faces", "--format", "json", "--to", str(file))
    study.delete()
    researcher("bea")
    with pytest.raises(CommandError, match=r"conditions\.net-pool-reg_free\.network: is 'net'; allowed"):
        call_command("import_study_file", str(file), "--by", "bea")
    call_command("import_study_file", str(file))
    assert "faces is a draft with 1 conditions" in capsys.readouterr().out
    with pytest.raises(CommandError, match="study 'faces' exists already"):
        call_command("import_study_file", str(file))
    call_command("import_study_file", str(file), "--replace")
    for words, said in (
        (["export_study_file", "nowhere"], "there is no study 'nowhere'; there are: faces"),
        (["import_study_file", str(tmp_path / "none")], "cannot be read: No such file"),
        (
            ["import_study_file", str(file), "--by", "nobody"],
            "there is no researcher 'nobody'; there are: bea",
        ),
        (["export_study_file", "faces", "--to", "/nowhere/x"], "cannot be written: No such file"),
    ):
        with pytest.raises(CommandError, match=said):
            call_command(*words)


def test_a_set_of_two_images_with_one_name_has_one_order() -> None:
    from survey_site.stimuli import services
    from survey_site.studies.plans import plan_condition
    from survey_site.studies.services import study_from_jobs
    from tests.builders import finish, layer, network, png, recipe

    photos = image_set(0)
    services.import_images(image_set=photos, files=[("same.png", png(seed), "") for seed in range(6)])
    jobs = services.queue_pairs(layers=[layer(network())], recipe=recipe(), image_set=photos)
    study = study_from_jobs(slug="s", name="S", jobs=[finish(job) for job in jobs])
    plan = plan_condition(study.conditions.get())
    hashes = list(photos.targets.order_by("image__sha256").values_list("pk", flat=True))
    iris = {str(iri.pk): iri.target_id for iri in jobs[0].iris.all()}
    assert [iris[str(item.iri)] for item in plan.items] == hashes
