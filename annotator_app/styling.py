"""How Streamlit's pages look. The colours are those of templates/door.css and of the reports."""

from __future__ import annotations

from collections.abc import Mapping

THEME: Mapping[str, object] = {
    "theme.light.primaryColor": "#1257a8",
    "theme.light.backgroundColor": "#ffffff",
    "theme.light.secondaryBackgroundColor": "#f6f7f9",
    "theme.light.textColor": "#1b1f26",
    "theme.dark.primaryColor": "#7db4f5",
    "theme.dark.backgroundColor": "#14171c",
    "theme.dark.secondaryBackgroundColor": "#1c2027",
    "theme.dark.textColor": "#e7eaf0",
    # In plots, people beside each other: told apart, and seen on their ground.
    "theme.light.chartCategoricalColors": [
        "#1257a8", "#c2571a", "#2b8a57", "#a03e8f", "#8a6d1b", "#c43c33", "#1f8a99", "#5b5fc7",
    ],
    "theme.dark.chartCategoricalColors": [
        "#7db4f5", "#f0a15e", "#6fcf97", "#d58fd0", "#d8c063", "#f08a80", "#63c7d4", "#a6a9f5",
    ],
    "theme.headingFontSizes": ["2rem", "1.5rem", "1.2rem", "1.05rem", "1rem", "1rem"],
}  # fmt: skip
"""settings of Streamlit"""
ALL_PAGES = """<style>
[data-testid="stMainBlockContainer"] { padding: 4.2rem 5rem 3rem; max-width: 1500px; }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 3.8rem 1rem 2rem; } }
[data-testid="stMainBlockContainer"] h1 { padding: 0.4rem 0 0.6rem; }
[data-testid="stCaptionContainer"] { color: light-dark(#566070, #a3adbb); opacity: 1; }
[data-testid="stVegaLiteChart"] {
  :is([class*="role-axis"], [class*="role-legend"], .beside_marks) text {
    fill: light-dark(#3d4653, #c3cad5);
  }
}
:is(button[aria-label^="Help for"], [data-testid="stDateInput"] button,
[data-testid="stCheckbox"] label) { min-width: 24px; min-height: 24px; }
</style>"""
"""Tables and plots want the room that Streamlit leaves around them; its captions and its plots'
axes are pale, and some of its targets are small."""
CLOSE_TO_THE_EDGES = """<style>
[data-testid="stMainBlockContainer"] { padding: 3.9rem 1.5rem 0.25rem; max-width: 1500px; }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 3.8rem 0.6rem 0; } }
</style>"""
"""Of a page with the player: a clip, an answer and all keys fit on a screen of 1366x768 only
without wide margins."""
