"""A cluster of three hosts with addresses of their own, in network namespaces of this machine: a host that cannot be
reached for a while, and one behind a slow link. Needs root and `ip`, and is skipped where namespaces cannot be made."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes import ScriptedLLM
from tests.test_cluster import REPLY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rag.settings import Settings

    Host = subprocess.Popen[str]

TOP = Path(__file__).parent.parent
HOSTS = ("head", "east", "west")
PORT = 6379
STORE_BYTES = 80 << 20
PATIENCE_S = 300.0
SLOW = (("netem", "delay", "150ms"), ("tbf", "rate", "512kbit", "burst", "16kbit", "latency", "400ms"))
"""A link that takes its time, or where the kernel has none, one with room for little."""

TRIED = 'until "$@"; do sleep 1; done'
"""Ray gives up when it is not up within seconds, as on a busy machine."""

# Answers over two shards, each time a line comes, in JSON.
PROGRAM = """
import json, sys, time
from pathlib import Path
from index import Index
from index.errors import InputError
from index.shard_actors import ShardActors
from rag import Engine
from rag.settings import Settings
from rag import Answer, Token
from rag.llm import replicas
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from tests.test_cluster import ASKED, REPLY, SMALL, articles
from tests.test_hosts import slow

def connected(address, tries):
    try:
        return ShardActors(address)
    except InputError:  # the head is not up yet
        if not tries:
            raise
    time.sleep(1)
    return connected(address, tries - 1)

address, folder, hosts = sys.argv[1:]
embedder, settings = BagOfWordsEmbedder(), Settings(read_ahead="off")
with connected(address, 100) as shards, Index.open(Path(folder) / "home", embedder=embedder, shards=shards) as index:
    import ray

    while sum(node["Alive"] for node in ray.nodes()) < int(hosts):
        time.sleep(0.5)
    index.add(articles(60))
    failed = shards.start(embedder.name, folder=f"{folder}/shards")
    held = index.spread().articles
    nodes = {one.name: one.node for one in shards.placed()[0]}
    print(json.dumps({"failed": failed, "held": held, "nodes": nodes}), flush=True)
    with Index.open(Path(folder) / "home", embedder=embedder) as alone:
        expected = list(alone.search(ASKED, k=20))
    for line in sys.stdin:
        begun = time.monotonic()
        if line == "write\\n":
            failed = replicas.start(SMALL, slow)
            llm = replicas.Replicas.open(SMALL)
            while llm.at_once() < len(failed):
                time.sleep(0.2)
            with Engine.open(index=index, llm=llm, settings=SMALL) as engine:
                words = ""
                for event in engine.stream(ASKED):
                    if isinstance(event, Token) and not words:
                        print(json.dumps({"failed": failed}), flush=True)
                    if isinstance(event, Token):
                        words += event.text
                    if isinstance(event, Answer):
                        took_s = time.monotonic() - begun
                        print(json.dumps({"words": words, "text": event.text, "took_s": took_s}), flush=True)
            replicas.stop()
            continue
        hits = index.search(ASKED, k=20)
        with Engine.open(index=index, llm=ScriptedLLM(REPLY, REPLY), settings=settings) as engine:
            answer = engine.ask(ASKED)
        found = {"is_whole": list(hits) == expected, "hits": len(hits), "missing": answer.missing, "text": str(answer)}
        print(json.dumps({**found, "took_s": time.monotonic() - begun}), flush=True)
"""


class SlowLLM(ScriptedLLM):
    """Notes on which host it writes, and takes its time between words."""

    def stream(self, *arguments: Any, **options: Any) -> Iterator[str]:
        with open(os.environ["NOTES_OF_TEST"], "a") as file:  # noqa: PTH123
            file.write(f"{socket.gethostname()}\n")
        for piece in super().stream(*arguments, **options):
            time.sleep(0.5)
            yield piece


def slow(settings: Settings) -> SlowLLM:
    return SlowLLM(REPLY)


@dataclass(slots=True)
class Network:
    """Three hosts on a bridge, each in a namespace of its own."""

    prefix: str

    def host(self, name: str) -> str:
        return f"{self.prefix}{name}"

    def address(self, name: str) -> str:
        return f"10.77.7.{HOSTS.index(name) + 1}"

    def make(self) -> None:
        ip("netns", "add", self.prefix)
        ip("-n", self.prefix, "link", "add", "bridge", "type", "bridge")
        ip("-n", self.prefix, "link", "set", "bridge", "up")
        for name in HOSTS:
            ip("netns", "add", self.host(name))
            ip("-n", self.prefix, "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", self.host(name))
            ip("-n", self.prefix, "link", "set", name, "master", "bridge", "up")
            ip("-n", self.host(name), "address", "add", f"{self.address(name)}/24", "dev", "eth0")
            ip("-n", self.host(name), "link", "set", "eth0", "up")
            ip("-n", self.host(name), "link", "set", "lo", "up")
            ip(
                "-n", self.host(name), "route", "add", "default", "dev", "eth0"
            )  # else Ray takes loopback for its address

    def cut(self, name: str) -> None:
        """As when somebody pulls the cable out of the switch."""
        ip("-n", self.prefix, "link", "set", name, "down")

    def mend(self, name: str) -> None:
        ip("-n", self.prefix, "link", "set", name, "up")

    def slow(self, name: str) -> str:
        """Make the link to a host slow, and say how."""
        for way in SLOW:
            command = ["tc", "-n", self.prefix, "qdisc", "add", "dev", name, "root", *way]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return way[0]
        pytest.skip("this kernel cannot make a link slow")

    def hurry(self, name: str) -> None:
        subprocess.run(["tc", "-n", self.prefix, "qdisc", "delete", "dev", name, "root"], check=True)

    def end_processes(self) -> None:
        """End what runs on the hosts, and what that starts meanwhile."""
        for name in map(self.host, HOSTS):
            while found := subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split():
                for process in found:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(process), signal.SIGKILL)
                time.sleep(0.1)

    def delete(self) -> None:
        self.end_processes()
        for name in (*map(self.host, HOSTS), self.prefix):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    made = Network(f"cw{secrets.token_hex(2)}-")
    if shutil.which("ip") is None:
        pytest.skip("network namespaces need `ip`, of the package iproute2")
    try:
        made.make()
    except subprocess.CalledProcessError as error:
        made.delete()
        pytest.skip(f"network namespaces cannot be made here: {error.stderr.strip()}")
    yield made
    made.delete()


class Asking:
    """The program on the head, that answers when it is asked."""

    def __init__(self, process: Host) -> None:
        self._process = process

    def heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the program has ended"
        found: dict[str, Any] = json.loads(line)
        return found

    def ask(self, what: str = "search") -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self.heard()

    def ask_until(self, is_whole: bool) -> dict[str, Any]:
        ends = time.monotonic() + PATIENCE_S
        while (found := self.ask())["is_whole"] is not is_whole and time.monotonic() < ends:
            time.sleep(0.5)
        return found


@pytest.fixture(scope="module")
def hosts(network: Network) -> Iterator[tuple[Asking, dict[str, Any]]]:
    """Ray on all three, an index on the head, a shard on each of the others; and what the program said at first."""
    # Ray has sockets in it, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="cw", dir="/tmp") as folder, contextlib.ExitStack() as stack:
        environment = {
            **os.environ,
            "PYTHONPATH": str(TOP),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_TMPDIR": folder,
            "RAY_USAGE_STATS_ENABLED": "0",
            "CITEWIRE_OFFLINE": "1",
            "NOTES_OF_TEST": f"{folder}/notes",
        }
        (Path(folder) / "ray").mkdir()
        stack.callback(network.end_processes)
        head = f"{network.address('head')}:{PORT}"

        def begin(name: str, *command: str) -> Host:
            """A program on a host, which has a name of its own, and but for the head a folder of its own for Ray."""
            own = f"hostname {name}; {'' if name == 'head' else f'mount -t tmpfs none {folder}/ray; '}"
            named = ("unshare", "--uts", "--mount", "sh", "-c", own + 'exec "$@"', "sh", *command)
            made = subprocess.Popen(
                ["ip", "netns", "exec", network.host(name), *named],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=(Path(folder) / f"{name}.log").open("a"),
                text=True,
            )
            stack.callback(made.wait)
            stack.callback(made.kill)
            return made

        for name in HOSTS:
            is_head = name == "head"
            role = ["--head", f"--port={PORT}", "--include-dashboard=false"] if is_head else [f"--address={head}"]
            begin(
                name, "sh", "-c", TRIED, "sh", sys.executable, "-m", "ray.scripts.scripts", "start", *role, "--block",
                f"--node-ip-address={network.address(name)}", f"--num-cpus={int(not is_head)}",
                f"--object-store-memory={STORE_BYTES}",
            )  # fmt: skip
        asking = Asking(begin("head", sys.executable, "-c", PROGRAM, head, folder, str(len(HOSTS))))
        yield asking, {**asking.heard(), "notes": Path(folder) / "notes"}


def test_a_host_that_cannot_be_reached_is_named_and_its_articles_come_back(
    network: Network, hosts: tuple[Asking, dict[str, Any]]
) -> None:
    asking, started = hosts
    assert started["failed"] == []
    assert sum(started["held"].values()) == 60
    assert {node.split()[0] for node in started["nodes"].values()} == {"east", "west"}
    whole = asking.ask_until(is_whole=True)
    assert (whole["is_whole"], whole["missing"]) == (True, [])

    lost = next(name for name, node in started["nodes"].items() if node.startswith("east"))
    network.cut("east")
    partial = asking.ask()
    network.mend("east")
    assert partial["missing"] == [lost]
    assert f"Not all articles were searched: {lost}." in partial["text"]
    assert partial["hits"] > 0
    assert not partial["is_whole"]

    again = asking.ask_until(is_whole=True)
    assert (again["is_whole"], again["missing"], again["text"]) == (True, [], whole["text"])


def test_a_host_behind_a_slow_link_is_waited_for(network: Network, hosts: tuple[Asking, dict[str, Any]]) -> None:
    asking, _ = hosts
    whole = asking.ask_until(is_whole=True)
    network.slow("west")
    late = asking.ask()
    network.hurry("west")
    assert (late["is_whole"], late["missing"], late["text"]) == (True, [], whole["text"])


def test_an_answer_goes_on_elsewhere_when_the_host_that_writes_it_cannot_be_reached(
    network: Network, hosts: tuple[Asking, dict[str, Any]]
) -> None:
    asking, started = hosts
    assert set(asking.ask("write")["failed"].values()) == {""}
    [writing] = started["notes"].read_text().split()
    network.cut(writing)
    found = asking.heard()
    network.mend(writing)
    assert (found["words"].strip(), found["text"]) == (REPLY, REPLY)
    assert started["notes"].read_text().split() == [writing, *({"east", "west"} - {writing})]
