"""The one exception for everything that a user can mend."""

from __future__ import annotations


class Problem(Exception):
    """What is wrong, where, and what to type, in words for the person at the terminal. Never holds a secret."""
