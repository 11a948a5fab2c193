import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analysis", "0004_exclusion_rules_belong_to_studies")]

    operations = [
        migrations.CreateModel(
            name="StudyResults",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("mode", models.CharField(choices=[("real", "Real"), ("pilot", "Pilot")], max_length=10)),
                ("mark", models.CharField(max_length=80)),
                ("read_at", models.DateTimeField(help_text="When reading the answers began.", null=True)),
                ("seconds", models.FloatField(default=0, help_text="What computing took.")),
                (
                    "report",
                    models.JSONField(default=dict, help_text="Without the lists by participant and by item."),
                ),
                ("rests_until", models.DateTimeField(help_text="It is not computed again before.")),
                (
                    "examples",
                    models.JSONField(
                        default=dict, help_text="Trials whose targets were chosen most and least."
                    ),
                ),
                (
                    "failure",
                    models.CharField(
                        blank=True, help_text="Why the last attempt failed, if it did.", max_length=500
                    ),
                ),
                (
                    "study",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="results",
                        to="studies.study",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "study results",
            },
        ),
        migrations.CreateModel(
            name="ResultFigure",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.SlugField(max_length=60)),
                ("position", models.PositiveIntegerField()),
                ("title", models.CharField(max_length=200)),
                ("caption", models.TextField()),
                ("description", models.TextField(help_text="The figure in words.")),
                ("svg", models.TextField()),
                ("csv", models.TextField(help_text="The data in the figure.")),
                (
                    "results",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="figures",
                        to="analysis.studyresults",
                    ),
                ),
            ],
            options={
                "ordering": ["results", "position"],
            },
        ),
        migrations.AddConstraint(
            model_name="studyresults",
            constraint=models.UniqueConstraint(
                fields=("study", "mode"), name="one_results_per_study_and_mode"
            ),
        ),
        migrations.AddConstraint(
            model_name="resultfigure",
            constraint=models.UniqueConstraint(
                fields=("results", "name"), name="one_figure_per_results_and_name"
            ),
        ),
    ]
