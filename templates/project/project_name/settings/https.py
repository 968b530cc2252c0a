"""For environments behind nginx with TLS. While there is no certificate yet, `.env` switches off what needs one."""

from .base import env

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")

# nginx always sets this header itself, so no browser can forge it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SESSION_COOKIE_SECURE = env.bool("SESSION_COOKIE_SECURE", default=True)
CSRF_COOKIE_SECURE = env.bool("CSRF_COOKIE_SECURE", default=True)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=3600)

# HSTS for subdomains and browsers' preload lists: not this project's to decide for a whole domain.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
