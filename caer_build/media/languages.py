"""ISO 639 codes of the languages of audio tracks, whose two- and three-letter forms mix freely."""

from __future__ import annotations

_SAME = (
    "en eng", "de ger deu", "fr fre fra", "es spa", "it ita", "pt por", "nl dut nld", "sv swe",
    "da dan", "no nor nob", "fi fin", "is ice isl", "pl pol", "cs cze ces", "sk slo slk", "sl slv",
    "hr hrv", "sr srp", "hu hun", "ro rum ron", "bg bul", "el gre ell", "tr tur", "ru rus",
    "uk ukr", "he heb", "ar ara", "fa per fas", "hi hin", "bn ben", "ta tam", "te tel", "ur urd",
    "zh chi zho cmn yue", "ja jpn", "ko kor", "th tha", "vi vie", "id ind", "ms may msa",
)  # fmt: skip
_CODE = {code: group.split()[0] for group in _SAME for code in group.split()}


def same_language(tag: str, wanted: str) -> bool:
    """Whether two ISO 639 codes (``en``, ``eng``, ``en-GB``) mean one language."""
    return _canonical(tag) == _canonical(wanted)


def _canonical(tag: str) -> str:
    code = tag.strip().lower().replace("_", "-").split("-")[0]
    return _CODE.get(code, code)
