"""Event queue: how much of Gradio's queue one client may take, and that somebody listens to what waits in it.

Knows of Gradio's queue only what it counts there.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLIENT, TAB = "citewire.client", "citewire.tab"
"""Keys of the ASGI scope: who sent an event, and the tab that it named."""
MOST_OF_TAB = 24
"""Events of one tab that wait or run: a tab has a few, even while somebody presses everything."""
MOST_OF_CLIENT = 128
"""Of one login, or of one address where there are no logins: an office of sixty readers, each with two."""
MOST = 256
EARLY_S = 0.05
"""How much sooner than it was asked to a timer may ring."""
UNHEARD_S = 10.0
"""How long an event may wait or run while nobody reads its results. A page listens as soon as it has asked."""

FULL_OF_CLIENT = "You have too much waiting already. Wait for it, or stop it."
FULL = "Too many readers are waiting just now. Try again in a minute."


class EventQueue:
    """The queue of a gr.Blocks, seen from outside. All methods belong to the server's event loop."""

    def __init__(self, blocks: Any, *, on_given_up: Callable[[Any], None] = lambda _: None) -> None:
        """`blocks` is launched later. `on_given_up` gets an event of Gradio's queue that nobody listens to: Gradio ends
        it only when it gives its next result, which may take as long as the model needs to its first word.
        """
        self.blocks = blocks
        self._on_given_up = on_given_up
        self._listeners: Counter[tuple[str, str]] = Counter()
        self._tasks: set[asyncio.Future[None]] = set()

    def why_full(self, client: str, tab: str) -> tuple[HTTPStatus, str] | None:
        """Why one more event of this client and tab must not join, or None."""
        waiting = self._waiting()
        of_client = [event for event in waiting if event.request.scope.get(CLIENT) == client]
        of_tab = sum(event.request.scope.get(TAB) == tab for event in of_client)
        if of_tab >= MOST_OF_TAB or len(of_client) >= MOST_OF_CLIENT:
            return HTTPStatus.TOO_MANY_REQUESTS, FULL_OF_CLIENT
        return (HTTPStatus.SERVICE_UNAVAILABLE, FULL) if len(waiting) >= MOST else None

    @contextlib.contextmanager
    def listening(self, client: str, tab: str) -> Iterator[None]:
        """While a client reads the results of a tab."""
        self._listeners[client, tab] += 1
        try:
            yield
        finally:
            self._listeners[client, tab] -= 1
            if not self._listeners[client, tab]:
                del self._listeners[client, tab]
                if any(event.request.scope.get(TAB) == tab for event in self._waiting()):
                    asyncio.get_running_loop().call_later(UNHEARD_S, self._look, client, tab)

    def expect_listener(self, client: str, tab: str) -> None:
        """Give up the events of a tab to which its client has not begun to listen in time."""
        self._slim_states()
        asyncio.get_running_loop().call_later(UNHEARD_S, self._look, client, tab)

    def _slim_states(self) -> None:
        """Drop from what Gradio keeps of each tab all that nothing reads again.

        Gradio makes a component anew for each gr.update, and keeps it with its value under a number of its own once it
        is given another value: a tab grows by some 120 kB with every question (python -m benchmarks tab). And it keeps
        a second copy of every component's configuration, another 115 kB for each tab, for links to a state of the
        page, of which there are none here.
        """
        for state in list(self.blocks.state_holder.session_data.values()):
            if not isinstance(state.config_values, _NotKept):
                state.config_values = _NotKept()
            kept = state.blocks_config.blocks
            if len(kept) > len(self.blocks.blocks):
                for number in kept.keys() - self.blocks.blocks.keys():
                    del kept[number]

    def _look(self, client: str, tab: str) -> None:
        if self._listeners[client, tab]:
            return
        named = [event for event in self._waiting() if event.request.scope.get(TAB) == tab]
        # Those that came since have a look of their own: a tab stops listening between one event and the next.
        latest = time.monotonic() - UNHEARD_S + EARLY_S
        unheard = [event for event in named if event.enqueue_time <= latest]
        for event in [event for event in unheard if event.request.scope.get(CLIENT) == client]:
            self._on_given_up(event)
            task = asyncio.ensure_future(self.blocks._queue.clean_events(event_id=event._id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _waiting(self) -> list[Any]:
        return list(self.blocks._queue.event_ids_to_events.values())


class _NotKept(dict[int, dict[str, Any]]):
    """Stands in for the configurations that Gradio writes and nothing reads: every key is there, and has nothing."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: int) -> dict[str, Any]:
        return {}

    def __setitem__(self, key: int, value: dict[str, Any]) -> None:
        pass
