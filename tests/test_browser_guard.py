"""The page against hostile web sites in a real browser, which has a login or the token for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from benchmarks.harness.browser import FLAGS
from index import Article, Index
from rag import Engine
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui import auth, web
from ui.auth import Accounts
from ui.page_token import PageToken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PATIENCE_MS = 20_000
BOX = "#question textarea"
OURS, SIBLING, OTHER = "page.citewire.example", "sibling.citewire.example", "evil.example"
TOKEN = PageToken("a-token-for-the-tests-only")
SECRET = "The talks broke down in 2009."  # noqa: S105 (what a hostile site would like to read)

# Everything by which a web page can reach another one; each says what it got.
ATTACK = """
async (target) => {
  const got = {};
  const note = async (name, attempt) => {
    try { got[name] = await Promise.race([attempt(), new Promise((_, no) => setTimeout(() => no('timeout'), 2000))]); }
    catch (error) { got[name] = 'blocked'; }
  };
  const event = JSON.stringify({data: [null], fn_index: 0, session_hash: 'foreign'});
  for (const path of ['/', '/config', '/gradio_api/queue/data?session_hash=foreign', '/gradio_api/heartbeat/foreign',
                      '/theme.css', '/manifest.json', '/gradio_api/info', '/logout'])
    for (const mode of ['cors', 'no-cors'])
      await note(`get ${mode} ${path}`, async () => {
        const reply = await fetch(target + path, {credentials: 'include', mode});
        return mode === 'cors' ? await reply.text() : reply.type;
      });
  for (const path of ['/gradio_api/queue/join', '/gradio_api/run/predict', '/gradio_api/cancel', '/gradio_api/reset',
                      '/login'])
    for (const [mode, kind] of [['cors', 'application/json'], ['no-cors', 'text/plain']])
      await note(`post ${mode} ${path}`, async () => {
        const options = {method: 'POST', credentials: 'include', mode, body: event, headers: {'content-type': kind}};
        return await (await fetch(target + path, options)).text();
      });
  const upload = new FormData();
  upload.append('files', new Blob(['words']), 'foreign.txt');
  await note('upload', async () => (await fetch(target + '/gradio_api/upload',
    {method: 'POST', credentials: 'include', mode: 'no-cors', body: upload})).text());
  await note('events', () => new Promise((yes, no) => {
    const source = new EventSource(target + '/gradio_api/heartbeat/foreign', {withCredentials: true});
    source.onmessage = (event) => yes(event.data);
    source.onerror = no;
  }));
  await note('socket', () => new Promise((yes, no) => {
    const socket = new WebSocket(target.replace('http', 'ws') + '/gradio_api/queue/join');
    socket.onopen = () => yes('open');
    socket.onerror = no;
  }));
  for (const [tag, key, path] of [['img', 'src', '/static/img/logo_nosize.svg'], ['script', 'src', '/config'],
                                  ['link', 'href', '/theme.css']])
    await note(tag, () => new Promise((yes, no) => {
      const element = document.createElement(tag);
      if (tag === 'link') element.rel = 'stylesheet';
      element[key] = target + path;
      element.onload = () => yes('loaded');
      element.onerror = no;
      document.body.append(element);
    }));
  await note('beacon', async () => { navigator.sendBeacon(target + '/gradio_api/queue/join', event); throw 0; });
  for (const [tag, path] of [['iframe', '/'], ['form', '/gradio_api/queue/join']])
    await note(tag, () => new Promise((yes, no) => {
      const frame = document.createElement('iframe');
      frame.name = 'frame-' + tag;
      document.body.append(frame);  // which loads an empty page at once
      frame.onload = () => { try { yes(frame.contentDocument.body.innerText || 'empty'); } catch { no(); } };
      if (tag === 'iframe') { frame.src = target + path; return; }
      const form = document.createElement('form');
      Object.assign(form, {method: 'post', action: target + path, target: frame.name, enctype: 'text/plain'});
      const field = document.createElement('input');
      Object.assign(field, {name: event.slice(0, -1) + ',"x":"', value: '"}'});
      form.append(field);
      document.body.append(form);
      form.submit();
    }));
  return got;
}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A page, what reached Gradio behind its guard, and the port of a hostile web server."""

    url: str
    demo: Any
    foreign_port: int

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def events(self) -> int:
        """Everything that ever joined the queue."""
        return int(self.demo._queue.events_recorded)


class Hostile(BaseHTTPRequestHandler):
    """An empty page under every name."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>hostile</title><body>")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    names = ", ".join(f"MAP {name} 127.0.0.1" for name in (OURS, SIBLING, OTHER))
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium, args=[*FLAGS, f"--host-resolver-rules={names}"], headless=True
        )
        yield started
        started.close()


@pytest.fixture(params=["token", "login"])
def site(request: pytest.FixtureRequest, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(auth, "COST", (2**8, 8, 1))
    auth.add(tmp_path / "accounts", name="ada", password="correct horse battery")  # noqa: S106
    entry: dict[str, Any] = {"token": TOKEN}
    if request.param == "login":
        entry = {"auth": Accounts.load(tmp_path / "accounts").login}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("a1", SECRET)])
        demo = web.build(Engine.open(index=index, llm=ScriptedLLM()))
        url = web.launch(demo, allowed_hosts=[OURS], **entry)
        yield Site(url, demo, server.server_address[1])
        demo.close(verbose=False)
    server.shutdown()
    server.server_close()


def let_in(tab: Page, address: str, *, has_login: bool) -> None:
    tab.goto(address)
    if has_login:
        tab.locator("input[type=password]").wait_for(timeout=PATIENCE_MS)
        tab.get_by_label("username").fill("ada")
        tab.locator("input[type=password]").fill("correct horse battery")
        tab.get_by_role("button", name="Login").click()
    tab.locator(BOX).wait_for(timeout=PATIENCE_MS)
    expect(tab.locator("#status")).to_contain_text("ready", timeout=PATIENCE_MS)
    tab.locator("#place [data-opened]").wait_for(state="attached", timeout=PATIENCE_MS)  # its own events were answered


def test_no_other_web_site_gets_anything_through(site: Site, browser: Browser) -> None:
    """From another port of the same name, the other name of this machine, a sibling domain and a foreign one."""
    has_login = "token" not in site.url
    query = f"?{urlsplit(site.url).query}" if not has_login else ""
    for name, foreign in (
        ("127.0.0.1", ("127.0.0.1", "localhost")),
        (OURS, (OURS, SIBLING, OTHER)),
    ):
        context = browser.new_context()
        tab = context.new_page()
        target = f"http://{name}:{site.port}"
        let_in(tab, f"{target}/{query}", has_login=has_login)
        assert "token" not in tab.url
        assert context.cookies()
        assert all(cookie["httpOnly"] and cookie["sameSite"] == "Lax" for cookie in context.cookies())
        before = site.events()
        for host in foreign:
            hostile = context.new_page()
            hostile.goto(f"http://{host}:{site.foreign_port}/")
            got = hostile.evaluate(ATTACK, target)
            through = {what: value for what, value in got.items() if value != "blocked"}
            assert through == {}, (name, host)
            assert site.events() == before, (name, host)
            hostile.close()
        expect(tab.locator(BOX)).to_be_visible()
        tab.reload()
        tab.locator(BOX).wait_for(timeout=PATIENCE_MS)  # nobody has logged it out
        context.close()


def test_a_name_that_is_pointed_at_this_machine_reads_nothing(site: Site, browser: Browser) -> None:
    tab = browser.new_page()
    reply = tab.goto(f"http://{OTHER}:{site.port}/{TOKEN.text}")
    assert reply is not None
    assert reply.status == 403
    assert SECRET not in tab.content()
    tab.close()


def test_the_token_is_in_no_history_and_a_link_from_elsewhere_opens_the_page(site: Site, browser: Browser) -> None:
    if "token" not in site.url:
        pytest.skip("a page with logins has no token")
    context = browser.new_context()
    tab = context.new_page()
    let_in(tab, site.url, has_login=False)
    assert tab.evaluate("performance.getEntriesByType('navigation')[0].name").endswith(f":{site.port}/")
    assert tab.evaluate("history.length") == 2  # about:blank and the page
    assert TOKEN.text not in tab.content()
    assert TOKEN.text not in str(tab.evaluate("document.cookie + JSON.stringify({...localStorage})"))
    tab.goto(f"http://localhost:{site.foreign_port}/")
    tab.evaluate(f"document.body.innerHTML = '<a href=http://127.0.0.1:{site.port}/>page</a>'")
    tab.click("a")
    tab.locator(BOX).wait_for(timeout=PATIENCE_MS)
    context.close()
