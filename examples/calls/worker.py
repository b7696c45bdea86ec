"""A worker of your own, in Python: it knows Temporal and the shape of a call, and nothing else of sluice."""

import asyncio
import os
from pathlib import Path

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

FOLDER = Path(os.environ.get("REPORTS", "reports"))


@activity.defn
async def tell_team(call: dict) -> None:
    """Adds a line to a log; the key tells whether that was done already, by a try that was cut off."""
    day = call["interval"]["start"][:10]
    if not (FOLDER / f"{day}.json").exists():
        raise ApplicationError(f"no report of {day} to tell of", type="NoReport", non_retryable=True)
    activity.heartbeat()
    log = FOLDER / "told.log"
    if log.exists() and call["idempotencyKey"] in log.read_text():
        return
    with log.open("a") as file:
        file.write(f"{day} {call['idempotencyKey']}\n")


async def main() -> None:
    client = await Client.connect(os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"))
    await Worker(client, task_queue="messages", activities=[tell_team]).run()


asyncio.run(main())
