"""Writes of the stimuli room, one subject a module."""

from survey_site.stimuli.services.doorbell import ring, sweep
from survey_site.stimuli.services.images import ImageRefused, ImportReport, import_images, store_image
from survey_site.stimuli.services.leases import (
    ChunkLease,
    FoundIRI,
    LeaseLost,
    announce_worker,
    claim_chunk,
    fail_chunk,
    fail_iri,
    finish_chunk,
    heartbeat,
    note_alive,
    record_iri,
    release_chunk,
)
from survey_site.stimuli.services.networks import (
    FoundLayer,
    NetworkRefused,
    buildable,
    check_buildable,
    check_channels,
    describe_missing_layer,
    fail_inspection,
    record_inspection,
    register_network,
)
from survey_site.stimuli.services.nulls import FoundNull, find_or_make_null
from survey_site.stimuli.services.queueing import QueueRefused, cancel_job, queue_pairs
from survey_site.stimuli.services.recipes import (
    RecipeRefused,
    changed_recipe,
    save_recipe,
    store_recipe,
    with_changes,
)

__all__ = [
    "ChunkLease",
    "FoundIRI",
    "FoundLayer",
    "FoundNull",
    "ImageRefused",
    "ImportReport",
    "LeaseLost",
    "NetworkRefused",
    "QueueRefused",
    "RecipeRefused",
    "announce_worker",
    "buildable",
    "cancel_job",
    "changed_recipe",
    "check_buildable",
    "check_channels",
    "claim_chunk",
    "describe_missing_layer",
    "fail_chunk",
    "fail_inspection",
    "fail_iri",
    "find_or_make_null",
    "finish_chunk",
    "heartbeat",
    "import_images",
    "note_alive",
    "queue_pairs",
    "record_inspection",
    "record_iri",
    "register_network",
    "release_chunk",
    "ring",
    "save_recipe",
    "store_image",
    "store_recipe",
    "sweep",
    "with_changes",
]
