"""Texts that people type about themselves and others: what they may hold, how names compare.

Everything typed is escaped where it is shown and a parameter where it is looked up, so nothing
here has to be true for safety. But nobody is called ``<script>``: who sends that is up to
something, is told no, and stands in the log.
"""

from __future__ import annotations

import re
import unicodedata

from caer_build.errors import VoteError

MAX_NAME, MAX_LANGUAGES, MAX_REASON = 80, 200, 500
# Letters of any script and their marks, digits, and what stands between the parts of a name.
_NAME = re.compile(r"[\w .,:!?#'’ʼ·&+()@/-]+")
_NO_TEXT = re.compile(r"[<>\x00-\x08\x0b-\x1f\x7f]")


def folded(name: str) -> str:
    """A name as it is looked up: whatever its case, and however its accents are encoded.

    Not left to the database: SQLite knows the case of A to Z only.
    """
    return unicodedata.normalize("NFKC", name.strip()).casefold()


def checked_name(name: str, what: str = "A name") -> str:
    """A person's name, or a note of whom an invitation is meant for, without spaces around it.

    Raises:
        VoteError: if it is none.
    """
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise VoteError(f"{what} has 1 to {MAX_NAME} characters.")
    return _spelt(name, what)


def checked_languages(languages: str) -> str:
    """The languages that somebody understands.

    Raises:
        VoteError: if that is not what it says.
    """
    languages = " ".join(languages.split())
    if not languages:
        raise VoteError("Say which languages you understand.")
    if len(languages) > MAX_LANGUAGES:
        raise VoteError(f"Name the languages in {MAX_LANGUAGES} characters.")
    return _spelt(languages, "A list of languages")


def checked_reason(reason: str) -> str:
    """A sentence of somebody's own.

    Raises:
        VoteError: if it is too long, or no plain text.
    """
    if len(reason) > MAX_REASON:
        raise VoteError(f"A reason may have {MAX_REASON} characters.")
    if _NO_TEXT.search(reason):
        raise VoteError("A reason is plain text.", "Write it without < and >.")
    return reason


def _spelt(text: str, what: str) -> str:
    # Marks that make one letter with the one before it are part of the name.
    plain = "".join(c for c in text if not unicodedata.category(c).startswith("M"))
    if not _NAME.fullmatch(plain):
        strange = sorted({c for c in plain if not _NAME.fullmatch(c)})
        raise VoteError(
            f"{what} cannot have {' '.join(strange)} in it.", "Use letters, digits and , . ' - ( )."
        )
    return text
