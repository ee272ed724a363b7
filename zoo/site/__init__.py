"""The static edition of the page: a folder that any web server serves, whose networks run in the visitor's browser.

It shares the components of `zoo.page`; Gradio has no part in it. What it needs of evaluation, `app.py` hands in.
"""
