from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("analysis", "0003_observers"), ("studies", "0004_exclusion_rules")]

    operations = [migrations.DeleteModel(name="ExclusionRule")]
