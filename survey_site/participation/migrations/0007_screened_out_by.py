from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def note_practice(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Until now, only practice screened anybody out."""
    sessions = apps.get_model("participation", "StudySession").objects
    sessions.filter(state="screened_out").update(screened_out_by="practice")


class Migration(migrations.Migration):
    dependencies = [("participation", "0006_reach_of_the_log")]

    operations = [
        migrations.AddField(
            model_name="studysession",
            name="screened_out_by",
            field=models.CharField(
                blank=True,
                choices=[("practice", "Practice"), ("device", "Device")],
                default="",
                max_length=10,
            ),
            preserve_default=False,
        ),
        migrations.RunPython(note_practice, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="studysession",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "screened_out"), _negated=True)
                | models.Q(("screened_out_by", ""), _negated=True),
                name="screened_out_by_something",
            ),
        ),
    ]
