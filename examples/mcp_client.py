"""Use Citewire as an assistant does, over MCP: `citewire mcp` is started, or an address of `citewire serve` is asked.

python examples/mcp_client.py "When did the six-party talks break down?" http://127.0.0.1:7860/mcp
"""

import asyncio
import sys

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

question = sys.argv[1] if len(sys.argv) > 1 else "When did the six-party talks break down?"
server = sys.argv[2] if len(sys.argv) > 2 else stdio_client(StdioServerParameters(command="citewire", args=["mcp"]))


async def main() -> None:
    """Ask one question."""
    async with Client(server) as client:
        print("tools:", ", ".join(tool.name for tool in (await client.list_tools()).tools))
        result = await client.call_tool("ask", {"question": question})
        print(result.content[0].text)


asyncio.run(main())
