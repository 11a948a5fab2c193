"""The columns of the exported responses: header, rows and data dictionary all come from this one table.

In `sql`, `r` is the response, `p` its presentation, `e` its log entry; `s` its session, `i` the item (the
reference with its trial) as `exporting.staging` gathers them, `o` the options in the order shown.
"""

from typing import Any

from survey_site.analysis.columns import Column
from survey_site.analysis.response_facts import ExportRow

RESPONSE_COLUMNS: tuple[Column[ExportRow], ...] = (
    Column(
        "trial_type",
        "text",
        "jsPsych's plugin that showed the trial.",
        lambda r: r.fields.trial_type,
        "r.trial_type",
    ),
    Column(
        "trial_index",
        "integer",
        "jsPsych's count of trials on the page.",
        lambda r: r.fields.trial_index,
        "r.trial_index",
    ),
    Column(
        "time_elapsed",
        "number",
        "Milliseconds from the start of the experiment on the page to the end of the trial.",
        lambda r: r.fields.time_elapsed,
        "r.time_elapsed",
    ),
    Column(
        "rt",
        "number",
        "Reaction time in milliseconds, from the first animation frame after the one that made the images "
        "visible to the timestamp of the input event.",
        lambda r: r.fields.rt,
        "r.rt",
    ),
    Column(
        "response",
        "integer",
        "Place of the chosen option, counted from 0 in the order shown; empty if nothing was chosen.",
        lambda r: r.chosen_position,
        "o.chosen_place",
    ),
    Column("stimulus", "id", "sha256 of the reference's image.", lambda r: r.reference.image, "i.image"),
    Column(
        "participant_id",
        "id",
        "Pseudonym of the participant; nothing of the recruiter's id is in it.",
        lambda r: r.fields.participant,
        "s.participant_id",
    ),
    Column(
        "session_id",
        "id",
        "The run of the participant through the study.",
        lambda r: r.fields.session,
        "s.id",
    ),
    Column("study", "text", "Slug of the study.", lambda r: r.fields.study, "s.study"),
    Column(
        "study_version",
        "integer",
        "Number of the frozen version that the session ran.",
        lambda r: r.fields.study_version,
        "s.study_version",
    ),
    Column("mode", "text", "`real` or `pilot`.", lambda r: r.fields.mode, "s.mode"),
    Column("language", "text", "Language of the page.", lambda r: r.fields.language, "s.language"),
    Column(
        "condition",
        "text",
        "Slug of the condition (pair, recipe and format) that the trial belongs to; empty for catch and "
        "practice trials. Its facts are in conditions.csv.",
        lambda r: r.trial.condition,
        "i.condition",
    ),
    Column("network", "text", "Slug of the network.", lambda r: r.trial.network, "i.network"),
    Column(
        "layer", "text", "Name of the layer, as the library spells it.", lambda r: r.trial.layer, "i.layer"
    ),
    Column("recipe", "text", "Name of the recipe that made the IRI.", lambda r: r.trial.recipe, "i.recipe"),
    Column("iri_id", "id", "The IRI that the reference is about.", lambda r: r.reference.iri_id, "i.iri_id"),
    Column(
        "target_id",
        "id",
        "The target image that the IRI matches.",
        lambda r: r.reference.target_id,
        "i.target_id",
    ),
    Column(
        "target_label",
        "text",
        "Label of the target in its image set.",
        lambda r: r.reference.target_label,
        "i.target_label",
    ),
    Column(
        "start_image",
        "id",
        "sha256 of the IRI's start image.",
        lambda r: r.reference.start_image,
        "i.start_image",
    ),
    Column("block", "integer", "Block of the session, counted from 0.", lambda r: r.fields.block, "p.block"),
    Column(
        "trial_id",
        "id",
        "The trial of the study version: the item of the score.",
        lambda r: r.trial.id,
        "i.trial_id",
    ),
    Column(
        "trial_format",
        "text",
        "`two_afc`, `matching`, `classification` or `odd_one_out`.",
        lambda r: r.trial.format,
        "i.trial_format",
    ),
    Column(
        "trial_kind",
        "text",
        "`main`, `practice` or `catch`; only `main` is scored.",
        lambda r: r.trial.kind,
        "i.trial_kind",
    ),
    Column(
        "presentation_id",
        "id",
        "The showing of the trial in this session; with `reference_index` unique to the row.",
        lambda r: r.fields.presentation,
        "p.id",
    ),
    Column(
        "attempt",
        "integer",
        "1, or more if an interrupted trial was asked again.",
        lambda r: r.fields.attempt,
        "p.attempt",
    ),
    Column(
        "repeat_of",
        "id",
        "The `presentation_id` that this one repeats with sides swapped; empty if none.",
        lambda r: r.fields.repeat_of,
        "p.repeat_of_id",
    ),
    Column(
        "reference_index",
        "integer",
        "Which of the trial's references the answer is about, counted from 0.",
        lambda r: r.reference.place,
        "i.place",
    ),
    Column("reference", "id", "Id of the reference.", lambda r: r.reference.id, "i.reference_id"),
    Column(
        "n_options",
        "integer",
        "Number of options offered; chance is 1 / n_options.",
        lambda r: len(r.trial.options),
        "i.n_options",
    ),
    Column(
        "options",
        "id",
        "Ids of the options in the order shown, joined by `|`.",
        lambda r: "|".join(r.options_shown),
        "o.options",
    ),
    Column(
        "answer_position",
        "integer",
        "Place of the option that answers the reference, counted from 0 in the order shown.",
        lambda r: r.answer_position,
        "o.answer_place",
    ),
    Column(
        "chose_target",
        "0 or 1",
        "1 if the chosen option answers the reference, 0 if not, empty if nothing was chosen.",
        lambda r: r.chose_target,
        "r.option_id = i.answer_id",
    ),
    Column(
        "timed_out",
        "0 or 1",
        "1 if the time limit ended the trial.",
        lambda r: r.fields.timed_out,
        "r.timed_out",
    ),
    Column(
        "confidence",
        "integer",
        "Rated confidence; empty if it was not asked.",
        lambda r: r.fields.confidence,
        "r.confidence",
    ),
    Column(
        "rt_raw_ms",
        "number",
        "`rt` as the browser measured it, unrounded.",
        lambda r: r.fields.rt_raw_ms,
        "r.rt_raw_ms",
    ),
    Column(
        "onset_frame_ms",
        "number",
        "Timestamp of the animation frame from which `rt` counts, in milliseconds since the page's own time "
        "origin.",
        lambda r: r.fields.onset_frame_ms,
        "r.onset_frame_ms",
    ),
    Column("input", "text", "`key`, `mouse` or `touch`.", lambda r: r.fields.input, "r.input"),
    Column(
        "refresh_hz",
        "number",
        "Measured refresh rate of the display.",
        lambda r: r.fields.refresh_hz,
        "r.refresh_hz",
    ),
    Column(
        "frames_dropped",
        "integer",
        "Animation frames missed during the trial.",
        lambda r: r.fields.frames_dropped,
        "r.frames_dropped",
    ),
    Column(
        "focus_lost",
        "integer",
        "How often the page lost focus during the trial.",
        lambda r: r.fields.focus_lost,
        "r.focus_lost",
    ),
    Column(
        "side_seed",
        "integer",
        "RNG seed of the session, from which order and sides follow.",
        lambda r: r.fields.session_rng_seed,
        "s.rng_seed",
    ),
    Column(
        "client_seq",
        "integer",
        "Sequence number of the answer in the session's log.",
        lambda r: r.fields.seq,
        "e.seq",
    ),
    Column(
        "recruiter",
        "text",
        "`link`, or the service that sent the participant.",
        lambda r: r.fields.recruiter,
        "s.recruiter",
    ),
    Column(
        "excluded_by",
        "text",
        "Exclusion rules that leave the row's session out, joined by `|`; empty if none.",
        lambda r: r.excluded_by,
        "s.excluded_by",
    ),
    Column(
        "server_received_utc",
        "UTC time",
        "When the server stored the answer, ISO 8601.",
        lambda r: r.fields.received_at,
        "e.received_at",
    ),
)

#: After the others, and only in exports of the level "full": they lead to the person for the recruiter.
RECRUITER_COLUMNS: tuple[Column[Any], ...] = (
    Column(
        "recruiter_id_hash",
        "id",
        "Keyed hash of the id by which the recruiter knows the participant: the same person has the same one "
        "in all studies of this site. Only in full exports, as the two that follow.",
        lambda r: r.recruiter_ids.recruiter_id_hash,
        "s.recruiter_id_hash",
    ),
    Column(
        "submission_id",
        "text",
        "The recruiter's id of this run: Prolific's submission, MTurk's assignment.",
        lambda r: r.recruiter_ids.submission_id,
        "s.submission_id",
    ),
    Column(
        "recruiter_study_id",
        "text",
        "The recruiter's id of the study: Prolific's study, MTurk's HIT.",
        lambda r: r.recruiter_ids.recruiter_study_id,
        "s.recruiter_study_id",
    ),
)
