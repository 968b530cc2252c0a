from .base import *
from .https import *
