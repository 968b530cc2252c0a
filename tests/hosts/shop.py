"""A project with 60 direct requirements, in a repository of its own, deployed beside the demo as a second app."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

from apps import App
from demo import Demo

# The 60 names, one after another; a list of literals would take a screen of its own.
DIRECT = (
    "anyio asgiref attrs beautifulsoup4 bleach blinker cachetools certifi charset-normalizer click "
    "colorama cssselect decorator defusedxml Django<6 django-cors-headers django-environ django-filter "
    "djangorestframework toml filelock gevent gunicorn[gevent] h11 html5lib httpcore httpx humanize "
    "idna inflection isodate itsdangerous Jinja2 jmespath Markdown MarkupSafe mistune more-itertools "
    "oauthlib packaging platformdirs psycogreen psycopg2-binary PyJWT PyMySQL pyparsing python-dateutil "
    "python-slugify requests six sortedcontainers soupsieve sqlparse tabulate termcolor urllib3 "
    "whitenoise xmltodict uritemplate zipp"
)
IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@example.com")


class Shop(App):
    """The app, and the checkout that it is deployed from."""

    def __init__(self, demo: Demo, directory: Path) -> None:
        """Make the repository out of the example, with requirements that nobody has frozen yet."""
        self.checkout = directory / "shop"
        shutil.copytree(demo.path / "examples/slow_sql", self.checkout)
        self.frozen = self.checkout / "requirements.txt"
        self.to_freeze = self.checkout / "requirements_to_freeze.txt"
        self.frozen.unlink()
        self.to_freeze.write_text(DIRECT.replace(" ", "\n") + "\n")
        subprocess.run(["git", "init", "--quiet"], cwd=self.checkout, check=True)
        password = secrets.token_urlsafe(16)
        variables: dict[str, Any] = {
            "database_password": password,
            "release_repository": str(self.checkout),
            "release_health_path": "/healthz",
            "release_env": {
                "ENVIRONMENT": "demo",
                "DEBUG": False,
                "SECRET_KEY": password,
                "DATABASE_URL": f"postgres://shop:{password}@127.0.0.1:5432/shop",
                "ALLOWED_HOSTS": ["shop.test"],
            },
        }
        super().__init__(demo, directory / "hosts.yml", "shop", variables)

    def commit(self, message: str) -> None:
        """Commit everything in the checkout."""
        for command in (["add", "--all"], [*IDENTITY, "commit", "--quiet", "--allow-empty", "--message", message]):
            subprocess.run(["git", *command], cwd=self.checkout, check=True)

    def virtualenv(self) -> str:
        """Return the path of the live virtualenv."""
        return self.demo.host("readlink -f /srv/shop/current/virtualenv")
