"""What participants saw cannot change, whoever writes: the database refuses updates of frozen rows."""

from django.db import migrations

TABLES = ["studies_studyversion", "studies_trial", "studies_trialoption", "studies_trialreference"]

CREATE = """
CREATE FUNCTION refuse_update_of_frozen_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is frozen; open a new version of the study', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
""" + "".join(
    f"CREATE TRIGGER frozen BEFORE UPDATE ON {table} "
    "FOR EACH ROW EXECUTE FUNCTION refuse_update_of_frozen_row();\n"
    for table in TABLES
)
DROP = "".join(f"DROP TRIGGER frozen ON {table};\n" for table in TABLES) + (
    "DROP FUNCTION refuse_update_of_frozen_row();"
)


class Migration(migrations.Migration):
    dependencies = [("studies", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
