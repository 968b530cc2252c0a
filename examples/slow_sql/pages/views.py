import os
from urllib.parse import urljoin

import requests
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe
from gevent.pool import Pool

from pages.forms import SecondsForm, SlowSqlForm
from pages.models import Greeting

# One statement that waits in the database and squares x. MySQL's SLEEP returns 0.
SLOW_SQL = {
    "postgresql": "SELECT CAST(%(x)s AS bigint) * %(x)s FROM pg_sleep(%(seconds)s)",
    "mysql": "SELECT SLEEP(%(seconds)s) + %(x)s * %(x)s",
}


def plain_text(text: object, status: int = 200) -> HttpResponse:
    return HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8", status=status)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    version = ".".join(str(number) for number in connection.get_database_version())
    context = {
        "greeting": Greeting.objects.first(),
        "release": settings.RELEASE,
        "pid": os.getpid(),
        "database": f"{connection.display_name} {version}",
    }
    return render(request, "pages/home.html", context)


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return plain_text("ok")


@require_safe
def slow_sql(request: HttpRequest) -> HttpResponse:
    """Square `x` in a statement that takes `seconds`."""
    form = SlowSqlForm(request.GET)
    if not form.is_valid():
        return plain_text(form.errors.as_text(), status=400)
    if connection.vendor not in SLOW_SQL:
        return plain_text(f"{connection.display_name} cannot wait: use PostgreSQL, MySQL or MariaDB.", status=501)
    with connection.cursor() as cursor:
        cursor.execute(SLOW_SQL[connection.vendor], form.cleaned_data)
        (square,) = cursor.fetchone()
    return plain_text(square)


@require_safe
def ten_slow_requests(request: HttpRequest) -> HttpResponse:
    """Ask this site's /slow-sql/ ten times at once: under gevent that takes as long as asking once."""
    form = SecondsForm(request.GET)
    if not form.is_valid():
        return plain_text(form.errors.as_text(), status=400)
    seconds = form.cleaned_data["seconds"]
    url = urljoin(settings.SELF_URL or request.build_absolute_uri("/"), reverse("slow-sql"))

    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=10))

        def ask(x: int) -> str | requests.RequestException:
            # An exception is returned: raised in a greenlet, gevent would print each of the ten.
            try:
                response = session.get(url, params={"x": x, "seconds": seconds}, timeout=seconds + 10)
                response.raise_for_status()
            except requests.RequestException as error:
                return error
            return response.text.strip()

        answers = Pool(10).map(ask, range(1, 11))

    failures = [answer for answer in answers if isinstance(answer, requests.RequestException)]
    if failures:
        return plain_text(f"{len(failures)} of ten requests to {url} failed: {failures[0]}", status=502)
    return plain_text("\n".join(answers))
