"""What all rows of a session, or of an item, share, gathered once per export into temporary tables.

The chosen sessions get a place in the order in which they began, so that rows can be read by ranges of
places; an item is one reference of one trial. Both tables end with the transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from django.db import connection, transaction

from survey_site.analysis.exporting.selection import Selection

SESSIONS = """
CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS
SELECT session.id, session.participant_id, session.mode, session.language, session.recruiter,
       session.rng_seed, study.slug AS study, version.number AS study_version,
       (row_number() OVER (ORDER BY session.created_at, session.id))::int AS place,
       (SELECT string_agg(rule, '|' ORDER BY rule) FROM analysis_exclusion
        WHERE session_id = session.id) AS excluded_by,
       (SELECT external_id_hash FROM participation_recruiterid AS known
        WHERE known.participant_id = session.participant_id AND known.recruiter = session.recruiter
        ORDER BY known.id LIMIT 1) AS recruiter_id_hash,
       submission.submission_id, submission.recruiter_study_id
FROM participation_studysession AS session
JOIN studies_study AS study ON study.id = session.study_id
JOIN studies_studyversion AS version ON version.id = session.version_id
LEFT JOIN participation_submission AS submission ON submission.session_id = session.id
WHERE session.id IN ({chosen})
"""
ITEMS = """
CREATE TEMPORARY TABLE {table} ON COMMIT DROP AS
SELECT reference.id AS reference_id, reference.index AS place, reference.answer_id, answer.index AS answer,
       trial.id AS trial_id, trial.format AS trial_format, trial.kind AS trial_kind,
       trial.number AS trial_number, offered.options, cardinality(offered.options) AS n_options,
       shown.sha256 AS image, condition.slug AS condition, network.slug AS network, layer.name AS layer,
       recipe.name AS recipe, iri.id AS iri_id, iri.target_id, target.label AS target_label,
       start_image.sha256 AS start_image
FROM studies_trialreference AS reference
JOIN studies_trial AS trial ON trial.id = reference.trial_id
JOIN studies_trialoption AS answer ON answer.id = reference.answer_id
CROSS JOIN LATERAL (SELECT array_agg(id ORDER BY index) AS options FROM studies_trialoption
                    WHERE trial_id = trial.id) AS offered
LEFT JOIN stimuli_storedimage AS shown ON shown.id = reference.image_id
LEFT JOIN studies_condition AS condition ON condition.id = trial.condition_id
LEFT JOIN stimuli_layer AS layer ON layer.id = condition.layer_id
LEFT JOIN stimuli_network AS network ON network.id = layer.network_id
LEFT JOIN stimuli_recipe AS recipe ON recipe.id = condition.recipe_id
LEFT JOIN stimuli_iri AS iri ON iri.id = reference.iri_id
LEFT JOIN stimuli_targetimage AS target ON target.id = iri.target_id
LEFT JOIN stimuli_storedimage AS start_image ON start_image.id = iri.start_image_id
WHERE trial.version_id IN ({chosen})
"""


@dataclass(frozen=True)
class Staged:
    """Names of both tables, how many sessions there are, and the most options that any trial has."""

    sessions: str
    items: str
    n_sessions: int
    most_options: int


@contextmanager
def snapshot() -> Iterator[None]:
    """Whatever is read inside is of one moment, however long reading takes.

    A caller's transaction is left as it is: what it sees is decided then.
    """
    is_ours = not connection.in_atomic_block
    with transaction.atomic():
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def stage(selection: Selection) -> Staged:
    """Gather the facts about the chosen sessions and the items of their versions, inside a transaction."""
    mark = uuid4().hex
    sessions, items = f"exported_sessions_{mark}", f"exported_items_{mark}"
    chosen, chosen_values = selection.sessions().order_by().values("pk").query.sql_with_params()
    versions, version_values = selection.versions().order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        # Floats to their last bit, whatever the server's own setting.
        cursor.execute("SET LOCAL extra_float_digits = 1")
        cursor.execute(SESSIONS.format(table=sessions, chosen=chosen), chosen_values)
        cursor.execute(ITEMS.format(table=items, chosen=versions), version_values)
        cursor.execute(
            f"CREATE INDEX ON {sessions} (place); CREATE INDEX ON {items} (reference_id); "
            f"ANALYZE {sessions}; ANALYZE {items}"
        )
        cursor.execute(
            f"SELECT (SELECT count(*) FROM {sessions}), (SELECT max(n_options) FROM {items})"  # noqa: S608
        )
        n_sessions, most_options = cursor.fetchone()
    return Staged(sessions, items, n_sessions, most_options or 1)
