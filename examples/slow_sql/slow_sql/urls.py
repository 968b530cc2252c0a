from django.conf import settings
from django.conf.urls.static import static
from django.contrib import admin
from django.urls import path

from pages import views

urlpatterns = [
    path("", views.home, name="home"),
    path("admin/", admin.site.urls),
    path("healthz", views.healthz, name="healthz"),
    path("slow-sql/", views.slow_sql, name="slow-sql"),
    path("ten-slow-requests/", views.ten_slow_requests, name="ten-slow-requests"),
]

# With DEBUG, where no nginx serves what is uploaded; otherwise this adds nothing.
urlpatterns += static(settings.MEDIA_URL, document_root=settings.MEDIA_ROOT)
