"""Front ends, and what they share. Answers come from rag, articles from index; nothing here finds or judges.

- cli.py, terminal.py, progress.py, doctor.py: the command line
- web/: the chat page in Gradio, one file a tab; html/: values as HTML; session.py, library.py: what a tab shows
- guard.py, origin.py, tabs.py, payload.py, event_queue.py, connections.py …: who may send what to the page
- auth.py, hashing.py, owners.py, page_token.py: accounts, and whose browser it is
- conversations.py, uploads.py, backup.py, archive.py: what people keep, beside the index
"""
