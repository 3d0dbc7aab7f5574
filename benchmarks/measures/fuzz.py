"""Fuzz: damaged files of every format, each read in a process with the limits of time and memory of a sync.

A file is damaged as disks, networks and attackers damage it: bytes changed, cut out, repeated, reversed, or replaced
by what means something to a parser. What must not happen: a crash, a file that takes until the limit, a refusal without
a word. An exception that a reader does not expect costs only its file, and is counted.
"""

from __future__ import annotations

import io
import random
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.measures import round_trip
from index.errors import ReadError
from index.read.draft import Draft, LeftOut
from index.read.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = 2000
SEED = 18
_TALKS = (
    "The talks broke down in 2009, and both sides left the city; the board said they would go on in another place.",
    "Nobody at the café in Zürich knew when, and “soon” was all the two of them would say to the papers.",
)
_TOKENS = (b"\0", b"\xff\xfe", b"<", b"</p>", b"<table>", b"{", b"[" * 2000, b'"', b"\\", b"&#x110000;", b"--b",
           b"\x1b$B",
           b"\r\n\r\n", b"%PDF-", b"PK\x03\x04", b"obj", b"9999999999", b"-1", b"\xed\xa0\x80", b"<!ENTITY a '&a;'>",
           b"(" * 500, b"\\u-1?", b"99:99:99,999 --> ", b"---\n", b"*" * 400, b"," * 400)  # fmt: skip
_NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "text", "table")
)
_OFFICE = "http://schemas.openxmlformats.org"


_ROWS = "".join(
    "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>"
    for row in (("Talks held", "", ""), ("", "2019", "2020"), ("Moscow", "1", "2.5"))
)


@dataclass(slots=True)
class Outcome:
    """What became of the damaged files of one format."""

    counts: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    exceptions: set[str] = field(default_factory=set)


def measure(files: int = FILES) -> dict[str, Any]:
    """Format → how many files were read, refused, or ended a process, and how long the slowest took."""
    chance = random.Random(SEED)
    wholes = samples()
    found = {ending: Outcome() for ending in wholes}
    worker = Worker()
    try:
        for number in range(files):
            ending = list(wholes)[number % len(wholes)]
            damaged = _damaged(wholes[ending], chance)
            started = time.perf_counter()
            _count(found[ending], worker, ending.split()[0], damaged)
            found[ending].slowest_s = max(found[ending].slowest_s, time.perf_counter() - started)
    finally:
        worker.close()
    return {
        ending: {**one.counts, "slowest_s": round(one.slowest_s, 2), "exceptions": sorted(one.exceptions)}
        for ending, one in found.items()
    }


def show(table: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the result of `measure`."""
    names = ("read", "refused", "unexpected", "crash", "timeout", "no word")
    print(f"\n{'damaged files':12}" + "".join(f"{name:>11}" for name in names) + f"{'slowest s':>11}")
    for ending, row in table.items():
        print(f"{ending:12}" + "".join(f"{row.get(name, 0):>11}" for name in names) + f"{row['slowest_s']:>11.2f}")
        if row["exceptions"]:
            print(f"{'':12}{', '.join(row['exceptions'])}")


def samples() -> dict[str, bytes]:
    """A whole file of each format, by its ending and what else there is to it."""
    page = "<html><head><title>Talks</title></head><body><article>" + "".join(f"<p>{text}</p>" for text in _TALKS * 3)
    page += "<table><tr><th colspan=3>Talks held<tr><td rowspan=2><td colspan=2>2019<tr><td>1<td>2</table>"
    entry = f"<item><title>Talks</title><link>https://x.example/1</link><description>{_TALKS[0]}</description></item>"
    text = "\n\n".join(_TALKS)
    mail = f"Subject: Talks\nFrom: a@x.example\nMIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n" \
           f"--b\nContent-Type: text/html; charset=utf-8\n\n{page}\n--b--\n"  # fmt: skip
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    written = {
        ".txt": text,
        ".md": f"---\ntitle: Talks\nauthors: [Ann, Ben]\n---\n# Talks\n\n{text}\n\n"
        "> [!note] A [[page|note]]\n\n|a|b|\n|-|-|\n|1|2|\n",
        ".html": page,
        ".json": f'{{"articles": [{{"title": "Talks", "date": 1521624600, "text": "{_TALKS[0]}"}}]}}',
        ".jsonl": f'{{"title": "Talks", "content": {{"rendered": "<p>{_TALKS[0]}</p>"}}}}\n' * 3,
        ".csv": f'title,text\nA,"{_TALKS[0]}"\nB,"{_TALKS[1]}"\n',
        ".tsv": "Region\tPopulation\nNorth\t12\nSouth\t14\n",
        ".srt": "".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n + 1},000\n{line}\n\n" for n, line in enumerate(_TALKS)),
        ".vtt": "WEBVTT\n\n"
        + "".join(f"00:0{n}.000 --> 00:0{n}.500\n<v Ann>{line}\n\n" for n, line in enumerate(_TALKS)),
        ".rtf": rf"{{\rtf1\ansi{{\info{{\title Talks}}}}{_TALKS[0]}{{\footnote A note.}}\par\trowd a\cell b\cell\row}}",
        ".mhtml": mail,
        ".mbox": f"From a@x.example\n{mail}\n\nFrom b@x.example\n{mail}",
        ".rss": f"<?xml version='1.0'?><rss version='2.0'><channel><title>News</title>{entry * 2}</channel></rss>",
        ".warc": _archived(page),
    }
    binary = {
        **round_trip.documents(_TALKS),
        ".odt": _zipped({
            "content.xml": f"<office:document-content {_NAMES}><office:body><office:text><text:p>{text}</text:p>"
            f"<table:table><table:table-header-rows><table:table-row>{cell.format('2019') * 2}</table:table-row>"
            f"</table:table-header-rows><table:table-row>{cell.format('a') * 2}</table:table-row></table:table>"
            "</office:text></office:body></office:document-content>"
        }),
        ".xlsx": _workbook(),
        ".pdf form": _form(),
    }  # fmt: skip
    return {**{ending: content.encode() for ending, content in written.items()}, **binary}


def _archived(page: str) -> str:
    response = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{page}"
    return (
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:0>\r\nWARC-Date: 2018-03-21T09:30:00Z\r\n"
        "WARC-Target-URI: https://x.example/1\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(response.encode())}\r\n\r\n{response}\r\n\r\n"
    )


def _workbook() -> bytes:
    kind = f"{_OFFICE}/officeDocument/2006/relationships"
    relations = f'<Relationships xmlns="{_OFFICE}/package/2006/relationships"><Relationship Id="r" '
    main = f'xmlns="{_OFFICE}/spreadsheetml/2006/main"'
    return _zipped(
        {
            "_rels/.rels": f'{relations}Type="{kind}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook {main} xmlns:r="{kind}"><sheets><sheet name="A" sheetId="1" r:id="r"/>'
            "</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": f'{relations}Type="{kind}/worksheet" Target="s.xml"/></Relationships>',
            "xl/s.xml": f"<worksheet {main}><sheetData>{_ROWS}</sheetData></worksheet>",
        }
    )


def _form() -> bytes:
    from reportlab.pdfgen import canvas

    out = io.BytesIO()
    page = canvas.Canvas(out, pageCompression=0)
    page.drawString(50, 760, _TALKS[0])
    page.acroForm.textfield(name="f1", tooltip="Name", x=150, y=700, value="Ada", fieldFlags="multiline")
    page.acroForm.checkbox(name="c1", x=150, y=650, checked=True)
    page.acroForm.radio(name="r1", value="yes", selected=True, x=150, y=600)
    page.acroForm.radio(name="r1", value="no", x=200, y=600)
    page.acroForm.choice(name="l1", value="a", options=["a", "b"], x=150, y=550)
    page.freeTextAnnotation("Received", "/Helv 10 Tf", Rect=[50, 300, 200, 320])
    page.save()
    return out.getvalue()


def _zipped(members: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    # Stored, so that damage reaches the parsers behind the archive.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _damaged(whole: bytes, chance: random.Random) -> bytes:
    if whole.startswith(b"PK") and chance.random() < 0.7:
        # A checksum hides most damage from the parsers behind an archive: damage a member instead.
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = chance.choice(list(members))
        members[name] = _damaged_bytes(members[name], chance)
        return _zipped(members)
    return _damaged_bytes(whole, chance)


def _damaged_bytes(whole: bytes, chance: random.Random) -> bytes:
    content = bytearray(whole)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        start = chance.randrange(len(content) + 1)
        end = min(len(content), start + chance.choice((0, 1, 4, 64, len(content) // 4)))
        piece = bytes(content[start:end])
        content[start:end] = chance.choice(
            (b"", piece * 3, piece[::-1], chance.randbytes(len(piece)), chance.choice(_TOKENS))
        )
    return bytes(content)


def _count(outcome: Outcome, worker: Worker, ending: str, content: bytes) -> None:
    try:
        found = worker.parse(ending, content)
    except ReadError as error:
        reason = str(error)
        kind = (
            "timeout" if "took longer than" in reason
            else "crash" if "broke the parser" in reason
            else "unexpected" if "it cannot be parsed (" in reason
            else "refused" if any(map(str.isalpha, reason)) else "no word"
        )  # fmt: skip
        outcome.counts[kind] += 1
        if kind == "unexpected":
            outcome.exceptions.add(reason.partition("(")[2].partition(")")[0])
        return
    drafts = [item for item in found if isinstance(item, Draft) and any(map(str.isalnum, item.text))]
    errors = [item for item in found if isinstance(item, ReadError) and not isinstance(item, LeftOut)]
    outcome.counts["read" if drafts else "refused"] += 1
    if any(not str(error) for error in errors):
        outcome.counts["no word"] += 1
