"""Use Citewire as an assistant does, over MCP: `citewire mcp` is started, or an address of `citewire serve` is asked.

python examples/mcp_client.py "When did the six-party talks break down?" http://127.0.0.1:7860/mcp
"""

import asyncio
import os
import sys

import httpx2
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

question = sys.argv[1] if len(sys.argv) > 1 else "When did the six-party talks break down?"
token = os.environ.get("CITEWIRE_API_TOKEN")
headers = {"Authorization": f"Bearer {token}"} if token else {}


async def main() -> None:
    """Ask one question."""
    async with httpx2.AsyncClient(headers=headers, timeout=600) as http:
        if len(sys.argv) > 2:
            server = streamable_http_client(sys.argv[2], http_client=http)
        else:  # the environment is not passed on by itself
            server = stdio_client(StdioServerParameters(command="citewire", args=["mcp"], env=dict(os.environ)))
        async with Client(server) as client:
            print("tools:", ", ".join(tool.name for tool in (await client.list_tools()).tools))
            result = await client.call_tool("ask", {"question": question})
            print(result.content[0].text)


asyncio.run(main())
