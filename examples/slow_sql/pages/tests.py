"""Run against the database of DATABASE_URL. What waits in the database is skipped on SQLite, which cannot."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import skipIf, skipUnless

import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import LiveServerTestCase, SimpleTestCase, TestCase, override_settings
from gevent.monkey import is_module_patched

from pages.models import Greeting
from pages.views import SLOW_SQL

database_can_wait = skipIf(connection.vendor not in SLOW_SQL, f"{connection.display_name} cannot wait")

# Names without a hash, so that the tests need no `collectstatic`.
PLAIN_STORAGES = {
    **settings.STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}


@override_settings(SECURE_SSL_REDIRECT=False)
class PagesTest(TestCase):
    @override_settings(STORAGES=PLAIN_STORAGES, RELEASE="20261123T120000Z-abc1234")
    def test_home_shows_the_migrated_row_and_the_release(self):
        response = self.client.get("/")
        self.assertContains(response, Greeting.objects.get().text)
        self.assertContains(response, "20261123T120000Z-abc1234")
        self.assertContains(response, connection.display_name)
        self.assertNotContains(response, "Attached")

    def test_a_release_that_does_not_know_of_attachments_can_add_a_greeting(self):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO pages_greeting (text) VALUES ('From before')")
        self.assertFalse(Greeting.objects.get(text="From before").attachment)

    def test_healthz_asks_the_database(self):
        with self.assertNumQueries(1):
            self.assertContains(self.client.get("/healthz"), "ok")

    @database_can_wait
    def test_slow_sql_waits_and_squares_in_one_statement(self):
        start = time.monotonic()
        with self.assertNumQueries(1):
            response = self.client.get("/slow-sql/?x=-1000000000&seconds=0.5")
        self.assertEqual(response.content, b"1000000000000000000\n")
        self.assertGreaterEqual(time.monotonic() - start, 0.5)


@override_settings(SECURE_SSL_REDIRECT=False, STORAGES=PLAIN_STORAGES)
class AdminTest(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.superuser = User.objects.create_superuser("admin", password="only for this test")

    def test_strangers_are_asked_to_log_in(self):
        response = self.client.get("/admin/pages/greeting/")
        self.assertRedirects(response, "/admin/login/?next=/admin/pages/greeting/")

    def test_a_superuser_logs_in_and_sees_the_greeting(self):
        self.assertFalse(self.client.login(username="admin", password="another"))
        self.assertTrue(self.client.login(username="admin", password="only for this test"))
        self.assertContains(self.client.get("/admin/pages/greeting/"), Greeting.objects.get().text)

    def test_a_greeting_needs_no_attachment(self):
        self.client.force_login(self.superuser)
        response = self.client.post("/admin/pages/greeting/add/", {"text": "Without"})
        self.assertRedirects(response, "/admin/pages/greeting/")
        self.assertFalse(Greeting.objects.get(text="Without").attachment)

    def test_what_is_uploaded_is_linked_from_the_home_page(self):
        self.client.force_login(self.superuser)
        greeting = Greeting.objects.get()
        file = SimpleUploadedFile("note.txt", b"uploaded")
        with TemporaryDirectory() as directory, self.settings(MEDIA_ROOT=directory):
            response = self.client.post(
                f"/admin/pages/greeting/{greeting.pk}/change/", {"text": greeting.text, "attachment": file}
            )
            self.assertRedirects(response, "/admin/pages/greeting/")
            self.assertEqual(Path(directory, "attachments", "note.txt").read_bytes(), b"uploaded")
            self.assertContains(self.client.get("/"), 'href="/media/attachments/note.txt"')


@override_settings(SECURE_SSL_REDIRECT=False)
class BadValuesTest(SimpleTestCase):
    def test_bad_values_are_refused_with_the_name_of_the_field(self):
        bad = {
            "/slow-sql/": "x",
            "/slow-sql/?x=three": "x",
            "/slow-sql/?x=1.5": "x",
            "/slow-sql/?x=1000000001": "x",
            "/slow-sql/?x=3&seconds=soon": "seconds",
            "/slow-sql/?x=3&seconds=-1": "seconds",
            "/slow-sql/?x=3&seconds=nan": "seconds",
            "/ten-slow-requests/?seconds=60.1": "seconds",
            "/ten-slow-requests/?seconds=inf": "seconds",
        }
        for url, field in bad.items():
            with self.subTest(url), self.assertLogs("django.request", "WARNING"):
                self.assertContains(self.client.get(url), f"* {field}\n", status_code=400)

    @override_settings(SELF_URL="http://127.0.0.1:9")
    def test_a_site_that_does_not_reach_itself_answers_502(self):
        with self.assertLogs("django.request", "ERROR"):
            response = self.client.get("/ten-slow-requests/?seconds=0")
        self.assertContains(response, "10 of ten requests to http://127.0.0.1:9/slow-sql/ failed", status_code=502)


@database_can_wait
@skipUnless(is_module_patched("socket"), "GEVENT_PATCH is off")
@override_settings(SECURE_SSL_REDIRECT=False, SELF_URL="")
class TenSlowRequestsTest(LiveServerTestCase):
    def test_ten_slow_requests_take_as_long_as_one(self):
        start = time.monotonic()
        response = requests.get(f"{self.live_server_url}/ten-slow-requests/?seconds=1", timeout=20)
        self.assertEqual(response.text.split(), [str(x * x) for x in range(1, 11)])
        self.assertLess(time.monotonic() - start, 5)
