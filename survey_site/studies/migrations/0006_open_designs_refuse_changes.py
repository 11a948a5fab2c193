"""The design of an open study cannot change, whoever writes, and the database counts every change of it."""

from django.db import migrations

TABLES = [
    "studies_condition",
    "studies_studytext",
    "studies_question",
    "studies_labelicon",
    "studies_exclusionrule",
]

FUNCTIONS = """
CREATE FUNCTION guard_study() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    -- Study.EDITABLE_WHILE_OPEN, the status, and what is no design.
    free CONSTANT text[] := ARRAY[
        'status', 'revision', 'name', 'recruiter', 'recruiter_study_id', 'group', 'created_by_id'];
    changed text;
BEGIN
    IF OLD.status = 'open' THEN
        SELECT string_agg(new_value.key, ', ' ORDER BY new_value.key) INTO changed
          FROM jsonb_each(to_jsonb(NEW) - free) AS new_value
          JOIN jsonb_each(to_jsonb(OLD) - free) AS old_value USING (key)
         WHERE new_value.value IS DISTINCT FROM old_value.value;
        IF changed IS NOT NULL THEN
            RAISE EXCEPTION 'study % is open, so its % cannot change; pause or close it first', OLD.slug, changed
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;
    -- A row of the design counts its own change below; all others are counted here, also by stale objects.
    IF pg_trigger_depth() = 1 THEN
        NEW.revision := OLD.revision;
        IF NEW IS DISTINCT FROM OLD THEN
            NEW.revision := OLD.revision + 1;
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION guard_design_row() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    of_study bigint;
    found record;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW IS NOT DISTINCT FROM OLD THEN
        RETURN NEW;
    END IF;
    FOREACH of_study IN ARRAY ARRAY[
        CASE WHEN TG_OP <> 'INSERT' THEN OLD.study_id END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.study_id END
    ] LOOP
        -- Locked, so that whoever opens the study waits for this change, or this change for the opening.
        SELECT slug, status INTO found FROM studies_study WHERE id = of_study FOR NO KEY UPDATE;
        IF found.status = 'open' THEN
            RAISE EXCEPTION 'study % is open, so no row of % can change; pause or close it first',
                found.slug, TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END LOOP;
    UPDATE studies_study SET revision = revision + 1
     WHERE id = CASE WHEN TG_OP = 'DELETE' THEN OLD.study_id ELSE NEW.study_id END;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END $$;"""
TRIGGERS = (
    "CREATE TRIGGER design_guard BEFORE UPDATE ON studies_study FOR EACH ROW EXECUTE FUNCTION guard_study();\n"
    + "".join(
        f"CREATE TRIGGER design_guard BEFORE INSERT OR UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION guard_design_row();\n"
        for table in TABLES
    )
)
DROP = "".join(f"DROP TRIGGER design_guard ON {table};\n" for table in ["studies_study", *TABLES]) + (
    "DROP FUNCTION guard_study();\nDROP FUNCTION guard_design_row();"
)


class Migration(migrations.Migration):
    dependencies = [("studies", "0005_pilots_preregistration_revisions")]
    operations = [migrations.RunSQL([FUNCTIONS, TRIGGERS], DROP)]
