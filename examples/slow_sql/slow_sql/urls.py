from django.urls import path

from pages import views

urlpatterns = [
    path("", views.home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("slow-sql/", views.slow_sql, name="slow-sql"),
    path("ten-slow-requests/", views.ten_slow_requests, name="ten-slow-requests"),
]
