"""What the guide says. Plain data, so that the page only lays it out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmotionEntry:
    """An emotion as annotators should understand it.

    Attributes:
        meaning: what it is, one sentence.
        looks, sounds: how it shows in the face and body, and in the voice.
        example: a clip, described.
    """

    name: str
    meaning: str
    looks: str
    sounds: str
    example: str


EMOTION_ENTRIES = (
    EmotionEntry(
        "Anger",
        "Somebody is annoyed, irritated or furious at a person or a thing.",
        "Brows drawn down and together, a hard stare, lips pressed or teeth shown.",
        "Loud and sharp, or low and very controlled; clipped words.",
        "A woman listens with her jaw set, then says “I told you twice” without raising her voice.",
    ),
    EmotionEntry(
        "Disgust",
        "Something revolts somebody: a taste, a smell, a sight, or what another person did.",
        "A wrinkled nose, a raised upper lip, the head turned away.",
        "“Ugh”, words pushed out, a voice that draws back.",
        "A man opens the fridge, leans away and speaks through closed teeth.",
    ),
    EmotionEntry(
        "Fear",
        "Somebody expects harm: worry, nervousness, panic.",
        "Wide eyes, brows raised and drawn together, a tense mouth, a body that freezes.",
        "High and thin, trembling, fast breath, or a whisper.",
        "A boy looks at the door, holds his breath and asks who is there.",
    ),
    EmotionEntry(
        "Happy",
        "Somebody is pleased, amused, relieved or tender.",
        "Cheeks raised, the corners of the mouth up, small folds beside the eyes.",
        "A bright, moving voice; laughter.",
        "Two friends talk about a party; the marked one laughs before the end of her sentence.",
    ),
    EmotionEntry(
        "Neutral",
        "No emotion stands out. It is an answer like the others, not a way of saying “unsure”.",
        "A relaxed face, ordinary attention.",
        "An even voice that gives facts.",
        "A clerk reads out an address and looks for a form.",
    ),
    EmotionEntry(
        "Sad",
        "Loss, disappointment, hurt, loneliness.",
        "Inner ends of the brows raised, lids and corners of the mouth down, tears.",
        "Slow, low, with pauses; a voice that breaks.",
        "A father nods and smiles, but looks at the floor, and his voice gives way.",
    ),
    EmotionEntry(
        "Surprise",
        "Something happens that somebody did not expect; it lasts a moment.",
        "Raised brows, wide open eyes, a dropped jaw.",
        "A sharp breath, “What?”, a voice that jumps up.",
        "A woman turns round, sees who has come in, and her mouth stays open.",
    ),
)

RULES = (
    (
        "The person in the box",
        "Label the person whose face is marked, however loud the others are. The box can be "
        "switched off to see the face better.",
    ),
    (
        "Everything you see and hear",
        "Face, body, voice, words, the others and the place all count. Listen with the sound on, "
        "to the end, at normal speed, at least once. Then watch it as often as you like, slower "
        "or frame by frame.",
    ),
    (
        "What you perceive",
        "Label the emotion that this person shows here. Not what the story would make likely, not "
        "what you know of the series, not what you would feel yourself.",
    ),
    (
        "The strongest one",
        "If it changes, label what is there most of the time. If two are mixed, label the stronger "
        "one and say that you are less sure.",
    ),
    (
        "By yourself",
        "Your own impression is what is wanted. There is no answer to find out, so do not discuss "
        "clips with others who label.",
    ),
)

SPECIAL_ANSWERS = (
    (
        "Cannot tell",
        "Several emotions fit equally well, or the face and voice say nothing either way. You "
        "have tried, and a confidence would be a mere guess.",
    ),
    (
        "Broken clip",
        "Something is wrong with the clip: no picture, no sound, the box on nobody or on two "
        "persons, a cut to another scene. It need not be played to its end.",
    ),
    (
        "Rather not",
        "You do not want to watch this, for whatever reason. It goes to somebody else, nobody is "
        "shown that it was you, and nobody asks.",
    ),
)

KEYS = (
    ("1 … 7", "the emotion"),
    ("A S D F …", "how sure you are, from left to right"),
    ("Enter", "send"),
    ("U", "undo: change your last answer"),
    ("X", "cannot tell"),
    ("M", "broken clip"),
    ("N", "rather not"),
    ("Space", "pause, play on"),
    ("↑", "from the start"),
    ("← →", "one frame back, one frame on"),
    ("- = 0", "slower, faster, normal speed"),
    ("B", "face box on, off"),
    ("V", "sound on, off"),
    ("?", "all keys, on the page itself"),
)
