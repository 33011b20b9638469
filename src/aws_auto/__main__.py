"""``python -m aws_auto`` is ``aws-auto``."""

from aws_auto.cli import main

main()
