"""The player: where clips are labelled, as a component of the page and as modules in the browser.

::

    player.html, player.css    what stands on the page
    boot.js                    what Streamlit is given; it asks for main.js
    desks.js                   what labelling and deciding ties do not share
    main.js -> work.js         somebody at work: clips, answers, receipts
      api.js outbox.js         with the server; an answer is kept until it is acknowledged
      memory.js                what a reload brings back
      stage.js deck.js         the clip on the screen and the next one behind it
      facebox.js soundcheck.js the box around the face; is there sound
      input.js keys.js         what a key or click means
      answering.js             the answer in progress
      missing.js wording.js    what is said about an answer
      screen.js dialogs.js pages.js worktime.js
    leaving.js                 on the page to sign out: sends what has not arrived

It talks to ``/api/`` by itself, so neither a key nor an answer makes Streamlit run the page again;
only a decided tie does, for the table below.

A clip that is only looked at, in a page, is ``watch.html``, ``watch_boot.js`` and ``watch.js``.
"""
