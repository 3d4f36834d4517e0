"""The guide: the emotions, the rules, the keys, and a person's own practice clips."""

from __future__ import annotations

import streamlit as st

from annotator_app.guide_text import EMOTION_ENTRIES, KEYS, RULES, SPECIAL_ANSWERS
from annotator_app.managing import begin
from annotator_app.session import visit
from annotator_app.watching import watch
from caer_build.annotation.gold import EXAMPLE, GoldClip, gold_clips
from caer_build.annotation.office import Office
from caer_build.annotation.practice import Practised, own_round
from caer_build.annotation.project import STEP_WORDS
from caer_build.annotation.viewing import film

_PER_ROW = 4


def _emotions() -> None:
    st.header("The seven emotions")
    st.write("What is told of clips here is made up. What you will see is less clear.")
    cards = [
        (
            f"{number} · {entry.name}",
            f"{entry.meaning}\n\n**Looks like:** {entry.looks}\n\n"
            f"**Sounds like:** {entry.sounds}\n\n*{entry.example}*",
        )
        for number, entry in enumerate(EMOTION_ENTRIES, start=1)
    ]
    cards += [(f"X · {name}", text) for name, text in SPECIAL_ANSWERS[:1]]
    for start in range(0, len(cards), _PER_ROW):
        row = cards[start : start + _PER_ROW]
        for column, (title, text) in zip(st.columns(_PER_ROW), row, strict=True):
            with column.container(border=True, height="stretch"):
                st.subheader(title, anchor=False)
                st.markdown(text)


def _rules() -> None:
    st.header("The rules")
    st.markdown("\n".join(f"{k}. **{name}.** {text}" for k, (name, text) in enumerate(RULES, 1)))
    st.subheader("When no emotion fits", anchor=False)
    st.markdown("\n".join(f"- **{name}.** {text}" for name, text in SPECIAL_ANSWERS))


def _confidence(n_steps: int) -> None:
    st.header("How sure you are")
    st.write(
        "Say it with every emotion. Nothing is chosen beforehand, and a low confidence is as "
        "welcome as a high one: it tells us which clips are hard."
    )
    st.markdown("\n".join(f"{k}. {text}" for k, text in enumerate(STEP_WORDS[n_steps], 1)))


def _keys() -> None:
    st.header("The keys")
    st.write("A clip needs three: a digit, a letter, Enter. Every key is on its button as well.")
    rows = "\n".join(f"| `{key}` | {text} |" for key, text in KEYS)
    st.markdown(f"| Key | |\n|---|---|\n{rows}")


def _examples(office: Office, shown: list[GoldClip]) -> None:
    st.header("Examples")
    st.write("Clips that whoever runs this project chose for you. Nobody is asked about them.")
    labels = _numbered([clip.emotion for clip in shown])
    chosen = st.pills("Watch one", range(len(shown)), format_func=labels.__getitem__)
    if chosen is None:
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        _play(office, shown[chosen].clip_id, "example_watched")
    with right:
        st.subheader(shown[chosen].emotion, anchor=False)
        st.text(shown[chosen].reason)


def _numbered(names: list[str]) -> list[str]:
    """Names that differ: the second Happy is Happy 2."""
    labels = []
    for number, name in enumerate(names):
        before = names[:number].count(name)
        labels.append(f"{name} {before + 1}" if before else name)
    return labels


def _practice(office: Office, own: list[Practised]) -> None:
    st.header("Your practice clips")
    for column, (number, clip) in zip(
        st.columns(3) * len(own), enumerate(own, start=1), strict=False
    ):
        with column.container(border=True):
            st.markdown(
                f"**{number}. Expected: {clip.expected}** · you answered: "
                f"{clip.answered or 'no emotion'}"
            )
            st.text(clip.reason)
    chosen = st.pills("Watch one again", range(len(own)), format_func=lambda k: str(k + 1))
    if chosen is not None:
        _play(office, own[chosen].clip_id, "practice_watched")


def _play(office: Office, clip_id: str, key: str) -> None:
    with office.database.reading() as connection:
        watch(film(connection, clip_id), key)


here = visit()
with here.office.database.reading() as connection:
    shown = [clip for clip in gold_clips(connection) if clip.use == EXAMPLE]
    practised = own_round(connection, here.account.annotator_id)
begin("How to label")
st.write(
    "You watch short clips and say which emotion you perceive in one person. Several people label "
    "each clip, and none of them knows what the others said."
)
if not here.account.qualified:
    st.info(
        "You begin with a few practice clips. After each you are told what was expected, and why.",
        icon=":material/school:",
    )
_emotions()
if shown:
    _examples(here.office, shown)
_rules()
left, right = st.columns(2, gap="large")
with left:
    _confidence(here.office.settings.confidence_steps)
with right:
    _keys()
if practised:
    _practice(here.office, practised)
