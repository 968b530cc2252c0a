import os

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


def plain_text(text: object, status: int = 200) -> HttpResponse:
    return HttpResponse(f"{text}\n", content_type="text/plain; charset=utf-8", status=status)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    version = ".".join(str(number) for number in connection.get_database_version())
    context = {
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
