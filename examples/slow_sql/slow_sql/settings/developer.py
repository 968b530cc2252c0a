"""An example of a developer's own settings. Copy it to a name of your own, and name that in your `.env`:
ENVIRONMENT=jane for jane.py."""

from .base import *

DEBUG = True

# Every SQL statement on the terminal.
LOGGING["loggers"]["django.db.backends"] = {"level": "DEBUG"}
