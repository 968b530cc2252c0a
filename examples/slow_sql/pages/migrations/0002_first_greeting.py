from django.db import migrations

TEXT = "Ten slow queries, one short wait."


def add_greeting(apps, schema_editor):
    apps.get_model("pages", "Greeting").objects.create(text=TEXT)


def remove_greeting(apps, schema_editor):
    apps.get_model("pages", "Greeting").objects.filter(text=TEXT).delete()


class Migration(migrations.Migration):
    dependencies = [("pages", "0001_initial")]

    operations = [migrations.RunPython(add_greeting, remove_greeting)]
