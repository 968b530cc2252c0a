from .base import *

# Plain HTTP: `check --deploy` need not warn about what only TLS can give.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008", "security.W012", "security.W016"]
