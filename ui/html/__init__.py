"""Values → HTML for the page. Pure: no Gradio, no index, no model. Every text that is not ours is escaped.

render.py   questions, answers, evidence, and what is being done
reader.py   one article in full
lists.py    articles, conversations, models, results of adding
markup.py   the smallest pieces: inert text, safe links, buttons, dates
"""
