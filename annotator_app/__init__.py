"""The annotation app: a Streamlit app behind a server of its own."""
