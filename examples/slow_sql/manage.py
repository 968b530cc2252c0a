#!/usr/bin/env python3
import sys

from slow_sql.bootstrap import bootstrap

if __name__ == "__main__":
    bootstrap()
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
