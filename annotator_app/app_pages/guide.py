"""The guide: the emotions, the rules, the keys, and a person's own practice clips."""

from __future__ import annotations

from html import escape

import streamlit as st

from annotator_app.guide_text import EMOTION_ENTRIES, KEYS, RULES, SPECIAL_ANSWERS
from annotator_app.managing import begin
from annotator_app.session import visit
from caer_build.annotation.practice import Example, examples
from caer_build.annotation.project import STEP_WORDS

_PER_ROW = 2


def _emotions() -> None:
    st.header("The seven emotions")
    st.write("The examples are made up. What you will see is less clear; that is why we ask.")
    for start in range(0, len(EMOTION_ENTRIES), _PER_ROW):
        for column, number in zip(
            st.columns(_PER_ROW), range(start, start + _PER_ROW), strict=True
        ):
            if number >= len(EMOTION_ENTRIES):
                continue
            entry = EMOTION_ENTRIES[number]
            with column.container(border=True, height="stretch"):
                st.subheader(f"{number + 1}  {entry.name}", anchor=False)
                st.markdown(
                    f"{entry.meaning}\n\n**Looks like:** {entry.looks}\n\n"
                    f"**Sounds like:** {entry.sounds}\n\n*{entry.example}*"
                )


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


def _practice(own: list[Example]) -> None:
    st.header("Your practice clips")
    for column, example in zip(st.columns(3) * len(own), own, strict=False):
        answered = example.answered or "no emotion"
        with column.container(border=True):
            st.html(
                f'<video controls preload="metadata" style="width:100%" '
                f'src="/clips/{escape(example.public_id)}.mp4"></video>'
            )
            st.markdown(f"**Expected: {example.expected}** · you answered: {answered}")
            st.text(example.reason)


here = visit()
with here.office.database.reading() as connection:
    practised = examples(connection, here.account.annotator_id)
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
_rules()
left, right = st.columns(2, gap="large")
with left:
    _confidence(here.office.settings.confidence_steps)
with right:
    _keys()
if practised:
    _practice(practised)
