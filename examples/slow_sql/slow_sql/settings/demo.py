from .base import *

# nginx always sets this header itself, so no browser can forge it.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# On a server visitors come by HTTPS alone: nginx sees to that. On your own machine, with DEBUG, they come by HTTP.
SESSION_COOKIE_SECURE = not DEBUG
CSRF_COOKIE_SECURE = not DEBUG
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]
