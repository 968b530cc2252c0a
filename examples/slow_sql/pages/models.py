from django.db import models


class Greeting(models.Model):
    text = models.CharField(max_length=200)
    # The default is the database's too: a release that does not know the column can still add rows.
    attachment = models.FileField(upload_to="attachments/", blank=True, default="", db_default="")

    def __str__(self) -> str:
        return self.text
