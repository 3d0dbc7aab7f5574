"""Doors for programs: the HTTP API, the OpenAI-compatible one and MCP. They translate between requests and answers."""
