"""Recognises what must not stand in a configuration file. Nothing here ever returns the secret itself."""

from __future__ import annotations

import math
import re
from collections import Counter

_KINDS = {
    "an AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a Slack token": r"\bxox[a-z]-[0-9A-Za-z-]{8,}",
    "a Slack webhook": r"https?://hooks\.slack(?:-gov)?\.com/\S+",
    "a private key": r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY",
    "a GitHub token": r"\b(?:gh[pousr]_[0-9A-Za-z]{20,}|github_pat_[0-9A-Za-z_]{20,})",
    "a Grafana token": r"\bglsa_[0-9A-Za-z_]{20,}",
    "a signed token (JWT)": r"\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*",
    "a password in an address": r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,100}:[^\s/@]{1,200}@",
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _KINDS.items()}
_ANY = re.compile("|".join(f"(?:{p})" for p in _KINDS.values()))

_SECRET_NAME = re.compile(r"key|token|secret|passw|credential|webhook", re.IGNORECASE)
_REFERENCE = re.compile(r"secret://|arn:aws[a-z-]*:(?:secretsmanager|ssm|kms):|\$\{?[A-Z]")
#: Bits per character: English words and identifiers stay below, random letters and digits of this length lie above.
_RANDOM_BITS = 3.3
_RANDOM_LENGTH = 16


def secret_kind(text: str, *, name: str = "") -> str | None:
    """What kind of secret this looks like, None when it looks like none.

    Args:
        text: a value or a key of the file.
        name: the key that the value stands under; random-looking text under a telling name counts as a secret.
    """
    for kind, pattern in _PATTERNS.items():
        if pattern.search(text):
            return kind
    if _SECRET_NAME.search(name) and not _REFERENCE.match(text) and _looks_random(text):
        return "a key, token or password"
    return None


def redacted(text: str) -> str:
    """The text with every recognisable secret replaced."""
    return _ANY.sub("[hidden]", text)


def _looks_random(text: str) -> bool:
    if len(text) < _RANDOM_LENGTH or re.search(r"\s", text):
        return False
    shares = [n / len(text) for n in Counter(text).values()]
    return -sum(p * math.log2(p) for p in shares) > _RANDOM_BITS
