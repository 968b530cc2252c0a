from django.contrib import admin

from pages.models import Greeting


@admin.register(Greeting)
class GreetingAdmin(admin.ModelAdmin):
    list_display = ["text", "attachment"]
