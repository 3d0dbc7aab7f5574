"""Front ends: the command line and the chat. No logic of their own; they show what rag and index say."""
