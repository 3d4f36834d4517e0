"""The server around Streamlit: who may come in, the doors, the clips, the requests of the page.

::

    gate      every request and socket passes it: path, session, role, forgery, size, headers, log
    doors     sign-in, sign-out, joining, welcome: plain HTML pages
    work      the JSON requests of the page that plays clips
    clips     the clips, with byte ranges
"""
