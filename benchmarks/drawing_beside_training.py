"""How long a drawing takes while another visitor trains: `python benchmarks/drawing_beside_training.py` prints a table.

The page runs in this process with its own queues. One visitor asks for sixteen pictures again and again; in every other block
of ten drawings, a second one trains faces of 32 pixels in the tab "Train one". Times are from the call to the answer.
"""

import json
import secrets
import statistics
import threading
import time

import httpx

from gan_hub.demo.app import compose
from gan_hub.demo.tabs.train.handlers import HEALTHY

ROUNDS, DRAWINGS = 4, 10
MODEL = "dcgan-fashion-mnist"


def event(page, element: str) -> int:
    """The number of the event that a click on an element calls first."""
    component = next(number for number, block in page.blocks.items() if getattr(block, "elem_id", None) == element)
    return next(number for number, each in page.fns.items() if (component, "click") in each.targets)


def call(url: str, session: str, number: int, data: list, until: str = "process_completed") -> None:
    """Call an event of the page as a browser does, and listen until a message of a kind comes."""
    body = {"data": data, "fn_index": number, "session_hash": session}
    httpx.post(f"{url}gradio_api/queue/join", json=body, timeout=60).raise_for_status()
    address = f"{url}gradio_api/queue/data?session_hash={session}"
    with httpx.Client(timeout=300) as client, client.stream("GET", address) as stream:
        for line in stream.iter_lines():
            if line.startswith("data:") and json.loads(line[5:]).get("msg") == until:
                return


def main() -> None:
    """Serve the page, measure, and print."""
    page = compose()
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    sample = next(number for number, each in page.fns.items() if each.api_name == "sample")
    train, stop = event(page, "train-start"), event(page, "train-pause")
    visitor, trainer = secrets.token_hex(8), secrets.token_hex(8)
    times: dict[bool, list[float]] = {False: [], True: []}
    for count in range(2 * ROUNDS):
        beside = count % 2 == 1
        if beside:
            threading.Thread(target=call, args=(url, trainer, train, [32, *HEALTHY]), daemon=True).start()
            time.sleep(8)  # the faces are drawn, and steps are taken
        for number in range(DRAWINGS):
            began = time.monotonic()
            call(
                url,
                visitor,
                sample,
                [MODEL, f"{1000 * count + 16 * number}-{1000 * count + 16 * number + 15}", "own", 1],
            )
            times[beside].append(time.monotonic() - began)
        if beside:
            body = {"data": [], "fn_index": stop, "session_hash": trainer}
            httpx.post(f"{url}gradio_api/queue/join", json=body, timeout=60).raise_for_status()
            time.sleep(3)
    print("| | median, ms | 95 %, ms |\n|---|---|---|")
    for beside, label in ((False, "alone"), (True, "beside a training")):
        ordered = sorted(times[beside])
        print(f"| {label} | {1000 * statistics.median(ordered):.0f} | {1000 * ordered[int(0.95 * len(ordered))]:.0f} |")
    page.close()


if __name__ == "__main__":
    main()
