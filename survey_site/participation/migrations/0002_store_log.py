"""The functions that take a participant's log (services/log_store.py)."""

from typing import ClassVar

from django.db import migrations

LOCK = """
CREATE FUNCTION participation_lock_session(token text, presentations uuid[]) RETURNS TABLE (
    session_id uuid, version_id bigint, state varchar, screened_out_by varchar, next_seq int, last_seq int,
    presentation_id uuid, trial_id uuid, option_order jsonb, attempt int, is_answered boolean
) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT s.id, s.version_id, s.state, s.screened_out_by, s.next_seq, s.last_seq, p.id, p.trial_id,
        p.option_order, p.attempt,
        EXISTS (SELECT FROM participation_response r WHERE r.presentation_id = p.id)
    FROM participation_studysession s
    LEFT JOIN participation_presentation p ON p.session_id = s.id AND p.id = ANY (presentations)
    WHERE s.token_hash = token
    FOR UPDATE OF s;
END $$
"""
RESPONSES = """
CREATE FUNCTION participation_store_responses(session uuid, responses jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF responses <> '[]' THEN
        INSERT INTO participation_response (
            entry_id, presentation_id, reference_id, option_id, rt, rt_raw_ms, onset_frame_ms, time_elapsed,
            trial_type, trial_index, input, refresh_hz, frames_dropped, focus_lost, timed_out, confidence
        )
        SELECT l.id, r.presentation_id, r.reference_id, r.option_id, r.rt, r.rt_raw_ms, r.onset_frame_ms,
            r.time_elapsed, r.trial_type, r.trial_index, r.input, r.refresh_hz, r.frames_dropped, r.focus_lost,
            r.timed_out, r.confidence
        FROM jsonb_to_recordset(responses) r (
            seq int, presentation_id uuid, reference_id uuid, option_id uuid, rt float8, rt_raw_ms float8,
            onset_frame_ms float8, time_elapsed float8, trial_type text, trial_index int, input text,
            refresh_hz float8, frames_dropped int, focus_lost int, timed_out boolean, confidence int
        )
        JOIN participation_logentry l ON l.session_id = session AND l.seq = r.seq;
    END IF;
END $$
"""
STORE = """
CREATE FUNCTION participation_store_log(
    session uuid, new_state text, new_screened_out_by text, new_next_seq int, new_last_seq int, entries jsonb,
    responses jsonb
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO participation_logentry (session_id, seq, kind, payload, received_at)
    SELECT session, e.seq, e.kind, e.payload, statement_timestamp()
    FROM jsonb_to_recordset(entries) e (seq int, kind text, payload jsonb);

    PERFORM participation_store_responses(session, responses);

    UPDATE participation_studysession s SET last_seen_at = statement_timestamp(), state = new_state,
        screened_out_by = new_screened_out_by, next_seq = new_next_seq, last_seq = new_last_seq
    WHERE s.id = session;
END $$
"""

# Of one that another request has overtaken nothing is left: the block is a transaction within.
STORE_NEXT = """
CREATE FUNCTION participation_store_next(token text, next int, payload jsonb, responses jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE session uuid;
BEGIN
    UPDATE participation_studysession s
    SET last_seen_at = statement_timestamp(), next_seq = next + 1, last_seq = next
    WHERE s.token_hash = token AND s.state = 'running' AND s.next_seq = next AND s.last_seq = next - 1
    RETURNING s.id INTO session;
    IF session IS NULL THEN
        RETURN FALSE;
    END IF;
    INSERT INTO participation_logentry (session_id, seq, kind, payload, received_at)
    VALUES (session, next, 'response', payload, statement_timestamp());
    PERFORM participation_store_responses(session, responses);
    RETURN TRUE;
EXCEPTION WHEN unique_violation THEN
    RETURN FALSE;
END $$
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("participation", "0001_initial")]
    operations: ClassVar = [
        migrations.RunSQL(LOCK, "DROP FUNCTION participation_lock_session"),
        migrations.RunSQL(RESPONSES, "DROP FUNCTION participation_store_responses"),
        migrations.RunSQL(STORE, "DROP FUNCTION participation_store_log"),
        migrations.RunSQL(STORE_NEXT, "DROP FUNCTION participation_store_next"),
    ]
