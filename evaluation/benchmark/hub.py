"""How long the page takes to start while the Hub answers, refuses, or swallows what it is sent."""

import statistics
import tempfile
import time

from gradio_client import Client, handle_file

from evaluation.benchmark.measure import Row, Settings
from evaluation.benchmark.ports import answering_port, refusing_port, silent_port
from evaluation.benchmark.server import first_page, serving
from zoo.images.examples import examples


def hub(settings: Settings) -> list[Row]:
    """Seconds from the command to the first page and to the first mask, in turns."""
    hubs = {"answers": answering_port, "refuses": refusing_port, "is silent": silent_port}
    found = {name: [] for name in hubs}
    for _ in range(1 if settings.quick else 3):
        for name, port in hubs.items():
            with port() as endpoint:
                found[name].append(first_mask(endpoint, settings.checkpoint))
    pages, masks = (
        {name: statistics.median(times[index] for times in found[name]) for name in hubs} for index in (0, 1)
    )
    rows = [Row(f"first page, the Hub {name}", pages[name], "s") for name in hubs]
    rows += [Row(f"first mask, the Hub {name}", masks[name], "s") for name in hubs]
    late = max(times[name] - times["answers"] for times in (pages, masks) for name in hubs)
    return [*rows, Row("largest delay by a Hub that is away", late, "s", goal="<= 2")]


def first_mask(endpoint: str, checkpoint: str) -> tuple[float, float]:
    """Seconds to the first page and to the first mask of a page whose Hub is at this address."""
    with tempfile.TemporaryDirectory() as cache:
        named = {"HF_ENDPOINT": endpoint, "FCN_ZOO_AUTHORS": "someone", "FCN_ZOO_CACHE": cache}
        begin = time.perf_counter()
        with serving("app.py", environment=named) as (process, address):
            first_page(process, address)
            page = time.perf_counter() - begin
            client = Client(address, verbose=False, httpx_kwargs={"timeout": 600})
            client.predict(handle_file(examples()[0].photo), [checkpoint], api_name="/segment")
            return page, time.perf_counter() - begin
