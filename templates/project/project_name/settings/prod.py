from .base import *
from .https import *

# Whatever `.env` says: the public never sees a traceback.
DEBUG = False
