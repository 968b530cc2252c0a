from django.conf import settings
from django.db import connection
from django.test import TestCase, override_settings

# Names without a hash, so that the tests need no `collectstatic`.
PLAIN_STORAGES = {
    **settings.STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}


@override_settings(SECURE_SSL_REDIRECT=False)
class PagesTest(TestCase):
    @override_settings(STORAGES=PLAIN_STORAGES, RELEASE="20261123T120000Z-abc1234")
    def test_home_shows_the_release_and_the_database(self):
        response = self.client.get("/")
        self.assertContains(response, "20261123T120000Z-abc1234")
        self.assertContains(response, connection.display_name)

    def test_healthz_asks_the_database(self):
        with self.assertNumQueries(1):
            self.assertContains(self.client.get("/healthz"), "ok")
