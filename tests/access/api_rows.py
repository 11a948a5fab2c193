"""The researchers' API in the matrix: address, method, who is let in, and how the address is filled."""

from __future__ import annotations

from typing import Any

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

API_ROWS: list[tuple[Any, ...]] = [
    ("api-schema", "get", STAFF),
    ("api-docs", "get", STAFF),
    ("rest-me", "get", STAFF),
    *STIMULI,
]
