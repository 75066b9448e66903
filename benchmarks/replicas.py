"""Two replicas of the page behind nginx: `python benchmarks/replicas.py [--visitors 16] [--seconds 40]`

Starts the page twice, with folders of their own, behind nginx (which has to be installed) as docs/hosting.md configures it, all
on 127.0.0.1. Prints what a link shows on each replica, how a crowd fares, what happens without the cookie that keeps a window
with its replica, and what happens when one replica ends under its visitors. Ends by itself after a few minutes.
"""

import argparse
import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
from visitors import ROOT, Failure, Notes, Server, Visitor, crowd, free_port

LINKS = ("?model=dcgan-fashion-mnist&seeds=0-7", "?model=stylegan2-avatars-32&seeds=3,14,15&truncation=0.7")
Row = tuple[str, str]  # what was looked at, and what was found


@contextlib.contextmanager
def nginx(replicas: list[Server], sticky: bool = True) -> Iterator[str]:
    """The address of nginx in front of replicas, configured as the documentation says; not `sticky`: without its cookie."""
    block = re.search(r"```nginx\n(.*?)```", (ROOT / "docs/hosting.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    text = block[1]
    port = free_port()
    for shown, real in zip(("7860", "7861", "7862"), (port, *(replica.port for replica in replicas)), strict=True):
        text = text.replace(f"127.0.0.1:{shown}", f"127.0.0.1:{real}")
    if not sticky:
        text = text.replace("    hash $visitor consistent;\n", "")
    folder = tempfile.mkdtemp()
    paths = [f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
    whole = f"daemon off; pid {folder}/pid; events {{}} http {{ access_log off; {' '.join(paths)}\n{text}}}"
    (Path(folder) / "nginx.conf").write_text(whole, encoding="utf-8")
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    command = [program, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf", "-p", folder]
    process = subprocess.Popen(command)
    try:
        for _ in range(100):
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"http://127.0.0.1:{port}/config", timeout=30)
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def links(replicas: list[Server]) -> Row:
    """Whether links show the same pictures on each replica."""
    shown = []
    for replica in replicas:
        digests = []
        for link in LINKS:
            visitor = Visitor(replica.url, Notes(), "10.0.0.1", link)
            await visitor.open()
            digests.append(sorted(set(visitor.pictures)))
            await visitor.close()
        shown.append(digests)
    count = sum(map(len, shown[0]))
    return (
        "the pictures of two links, on each replica",
        f"{count} pictures, {'equal' if shown[0] == shown[1] else 'DIFFERENT'} bytes",
    )


async def elsewhere(replicas: list[Server]) -> list[Row]:
    """What one replica says to a window of the other."""
    first, second = replicas
    visitor = Visitor(first.url, Notes(), "10.0.0.1")
    await visitor.open()
    files = re.findall(rf"{re.escape(first.url)}/gradio_api/file=[^\"]+", json.dumps(list(visitor.values.values())))
    codes = sorted({httpx.get(file.replace(first.url, second.url)).status_code for file in files[:1]})
    rows = [("a file of the other replica", f"status {codes[0]}" if codes else "the page shows none")]
    stream = httpx.get(f"{second.url}/gradio_api/queue/data?session_hash={visitor.session}").text
    rows.append(("the messages of a session of the other replica", stream.strip()[:160]))
    visitor.url = second.url
    try:
        await visitor.press("pick-left")
        rows.append(("a guess in a round of the other replica", "an answer"))
    except Failure as failure:
        rows.append(("a guess in a round of the other replica", str(failure)))
    await visitor.close()
    return rows


def told(notes: Notes) -> str:
    """A crowd in a sentence."""
    done = sum(map(len, notes.seconds.values())) - len(notes.seconds.get("reload", ()))
    kinds = Counter(re.sub(r"[0-9a-f]{8,}", "…", failure)[:90] for failure in notes.failures)
    text = f"{done} actions, {len(notes.failures)} failed, {len(notes.seconds.get('reload', ()))} windows loaded anew"
    return text + "".join(f"; {count} × {kind}" for kind, count in kinds.most_common(3))


async def with_end(url: str, replica: Server, visitors: int, seconds: float) -> Notes:
    """A crowd under which a replica ends after half of the time."""
    stay = asyncio.create_task(crowd(url, visitors, seconds, addresses=visitors))
    await asyncio.sleep(seconds / 2)
    replica.stop()
    return await stay


def measured(visitors: int, seconds: float) -> list[Row]:
    """All of it, as rows of a table."""
    folders = [tempfile.mkdtemp() for _ in range(2)]
    replicas = [Server(GRADIO_TEMP_DIR=folder) for folder in folders]
    try:
        for replica in replicas:
            replica.wait()
        rows = [asyncio.run(links(replicas)), *asyncio.run(elsewhere(replicas))]
        with nginx(replicas, sticky=False) as url:
            rows.append(("6 visitors without the cookie", told(asyncio.run(crowd(url, 6, seconds / 2, addresses=6)))))
        with nginx(replicas) as url:
            before = [replica.cpu() for replica in replicas]
            notes = asyncio.run(crowd(url, visitors, seconds, addresses=visitors))
            spent = [replica.cpu() - start for replica, start in zip(replicas, before, strict=True)]
            share = "; CPU " + " and ".join(f"{seconds_spent:.1f} s" for seconds_spent in spent)
            rows.append((f"{visitors} visitors with it", told(notes) + share))
            notes = asyncio.run(with_end(url, replicas[1], visitors, seconds))
            rows.append((f"{visitors} visitors, and one replica ends", told(notes)))
        return rows
    finally:
        for replica in replicas:
            replica.stop()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    return "\n".join(["| what | found |", "|---|---|", *(f"| {what} | {found} |" for what, found in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, default=16, help="of each crowd, at most 64")
    parser.add_argument("--seconds", type=float, default=40, help="that each visitor stays")
    given = parser.parse_args()
    print(table(measured(min(given.visitors, 64), given.seconds)))


if __name__ == "__main__":
    main()
