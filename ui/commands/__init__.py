"""The commands of the command line, one file a group: what each takes, and what each does."""
