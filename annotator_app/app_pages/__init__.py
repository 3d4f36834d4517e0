"""The pages; Streamlit runs each from its file."""
