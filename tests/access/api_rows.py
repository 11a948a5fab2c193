"""The researchers' API in the matrix: address, method, who is let in, and how the address is filled."""

from __future__ import annotations

from typing import Any

from django.core.files.base import ContentFile
from django.utils.timezone import now

from survey_site.access.models import Role
from survey_site.analysis.models import Export
from survey_site.console.live_actions import ACTIONS
from survey_site.participation.models import StudySession
from survey_site.participation.pilot_models import PilotRun
from survey_site.studies.rest.studies import RUNS

#: R is refused (401 or 403), H finds nothing, A is let in: anonymous, participant, stranger, viewer, analyst,
#: editor, owner, superuser.
STAFF = "RRAAAAAA"
VIEWER = "RRHAAAAA"
ANALYST = "RRHRAAAA"
EDITOR = "RRHRRAAA"
OWNER = "RRHRRRAA"


def network(world: Any) -> dict[str, Any]:
    return {"slug": "net"}


def image_set(world: Any) -> dict[str, Any]:
    return {"slug": "net-photos"}


def job(world: Any) -> dict[str, Any]:
    return {"job_id": world.job.pk}


def iri(world: Any) -> dict[str, Any]:
    return {"iri_id": world.job.iris.all()[0].pk}


def recipe(world: Any) -> dict[str, Any]:
    return {"sha256": world.job.recipe.sha256}


STIMULI: list[tuple[Any, ...]] = [
    ("rest-networks", "get", STAFF),
    ("rest-networks", "post", STAFF),
    ("rest-network", "get", VIEWER, network),
    ("rest-network", "patch", EDITOR, network),
    ("rest-layers", "get", VIEWER, network),
    ("rest-image-sets", "get", STAFF),
    ("rest-image-sets", "post", STAFF),
    ("rest-image-set", "get", VIEWER, image_set),
    ("rest-image-set", "patch", EDITOR, image_set),
    ("rest-images", "get", VIEWER, image_set),
    ("rest-images", "post", EDITOR, image_set),
    *(
        (f"{name}-{part}", method, OWNER, lambda world, fill=fill, more=more: {**fill(world), **more})
        for name, fill in (("rest-network", network), ("rest-image-set", image_set))
        for part, method, more in (
            ("members", "get", {}),
            ("member", "put", {"username": "viewer"}),
            ("member", "delete", {"username": "viewer"}),
        )
    ),
    ("rest-recipes", "get", STAFF),
    ("rest-recipes", "post", STAFF),
    ("rest-recipe", "get", STAFF, recipe),
    ("rest-jobs", "get", STAFF),
    ("rest-jobs", "post", STAFF),
    ("rest-job", "get", VIEWER, job),
    ("rest-job", "patch", EDITOR, job),
    *((f"rest-job-{action}", "post", EDITOR, job) for action in ("pause", "resume", "cancel")),
    ("rest-iris", "get", STAFF),
    ("rest-iri", "get", VIEWER, iri),
    ("rest-iri-image", "get", VIEWER, lambda world: {**iri(world), "kind": "target"}),
    ("rest-workers", "get", STAFF),
    ("rest-worker", "get", STAFF, lambda world: {"name": "iri@here"}),
]


def of_study(**more: Any) -> Any:
    return lambda world: {"slug": "faces", **more}


def bot_run(world: Any) -> dict[str, Any]:
    made = PilotRun.objects.create(study=world.study, n_bots=1)
    return {"slug": "faces", "run_id": made.pk}


STUDIES: list[tuple[Any, ...]] = [
    ("rest-studies", "get", STAFF),
    ("rest-studies", "post", STAFF),
    ("rest-study", "get", VIEWER, of_study()),
    ("rest-study", "patch", EDITOR, of_study()),
    ("rest-study", "delete", OWNER, of_study()),
    ("rest-study-readiness", "get", VIEWER, of_study()),
    *((f"rest-study-{act}", "post", EDITOR, of_study()) for act in RUNS),
    ("rest-study-clone", "post", EDITOR, of_study()),
    ("rest-bots", "get", VIEWER, of_study()),
    ("rest-bots", "post", EDITOR, of_study()),
    ("rest-bot-run", "get", VIEWER, bot_run),
    ("rest-study-members", "get", OWNER, of_study()),
    ("rest-study-member", "put", OWNER, of_study(username="viewer")),
    ("rest-study-member", "delete", OWNER, of_study(username="viewer")),
    ("rest-conditions", "get", VIEWER, of_study()),
    ("rest-conditions", "post", EDITOR, of_study()),
    ("rest-condition", "get", VIEWER, of_study(condition="net-pool-reg_free")),
    ("rest-condition", "put", EDITOR, of_study(condition="net-pool-reg_free")),
    ("rest-condition", "delete", EDITOR, of_study(condition="net-pool-reg_free")),
    ("rest-texts", "get", VIEWER, of_study()),
    ("rest-text", "get", VIEWER, of_study(language="en")),
    ("rest-text", "put", EDITOR, of_study(language="en")),
    ("rest-text", "delete", EDITOR, of_study(language="en")),
    ("rest-questions", "get", VIEWER, of_study()),
    ("rest-questions-in", "put", EDITOR, of_study(language="en")),
    ("rest-rules", "get", VIEWER, of_study()),
    ("rest-rules", "put", EDITOR, of_study()),
    ("rest-icons", "get", VIEWER, of_study()),
    ("rest-icon", "put", EDITOR, of_study(label="cat")),
    ("rest-icon", "delete", EDITOR, of_study(label="cat")),
    ("rest-versions", "get", VIEWER, of_study()),
    ("rest-version", "get", VIEWER, of_study(number=1)),
    ("rest-study-file", "get", EDITOR, of_study(kind="yaml")),
    ("rest-study-file-put", "put", EDITOR, of_study()),
    ("rest-study-files", "post", STAFF),
]


def session(world: Any) -> dict[str, Any]:
    return {"slug": "faces", "session_id": StudySession.objects.get(study=world.study).pk}


def export(world: Any) -> dict[str, Any]:
    made = Export.objects.create(study=world.study, kind="conditions.csv", level=1)
    return {"slug": "faces", "export_id": made.pk}


def written_export(world: Any) -> dict[str, Any]:
    filled = export(world)
    made = Export.objects.get(pk=filled["export_id"])
    made.state, made.expires_at = "done", now()
    made.file.save("conditions.csv", ContentFile(b"study"))
    return filled


ANSWERS: list[tuple[Any, ...]] = [
    ("rest-sessions", "get", VIEWER, of_study()),
    ("rest-session", "get", VIEWER, session),
    *(
        (f"rest-session-{name}", "post", EDITOR if action.role == Role.EDITOR else ANALYST, session)
        for name, action in ACTIONS.items()
    ),
    ("rest-scores", "get", VIEWER, of_study()),
    ("rest-results", "get", VIEWER, of_study()),
    ("rest-exports", "get", ANALYST, of_study()),
    ("rest-exports", "post", ANALYST, of_study()),
    ("rest-export", "get", ANALYST, export),
    ("rest-export-file", "get", ANALYST, written_export),
    ("rest-export-send", "get", ANALYST, of_study(kind="responses.csv")),
]

API_ROWS: list[tuple[Any, ...]] = [
    ("api-schema", "get", STAFF),
    ("api-docs", "get", STAFF),
    ("rest-me", "get", STAFF),
    ("rest-no-such-address", "get", "RRHHHHHH"),
    *STIMULI,
    *STUDIES,
    *ANSWERS,
]
