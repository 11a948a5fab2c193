from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def note_reach(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Of the logs that are there: what is stored, and up to where without a gap."""
    session, entry = (apps.get_model("participation", name) for name in ("StudySession", "LogEntry"))
    for pk in session.objects.values_list("pk", flat=True).iterator():
        last, following = 0, 1
        for seq in entry.objects.filter(session=pk).order_by("seq").values_list("seq", flat=True):
            last, following = seq, following + (seq == following)
        session.objects.filter(pk=pk).update(next_seq=following, last_seq=last)


class Migration(migrations.Migration):
    dependencies = [("participation", "0005_previews")]

    operations = [
        migrations.AddField(
            model_name="studysession",
            name="next_seq",
            field=models.PositiveIntegerField(
                default=1, editable=False, help_text="Below it, nothing is missing from the log."
            ),
        ),
        migrations.AddField(
            model_name="studysession",
            name="last_seq",
            field=models.PositiveIntegerField(
                default=0, editable=False, help_text="Above it, nothing is stored."
            ),
        ),
        migrations.RunPython(note_reach, migrations.RunPython.noop),
    ]
