"""One process of a race: threads that ask one session for a token as soon as a line comes in."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from litellm_qwen_ai.oauth import FileStore, Session


def main() -> None:
    folder, url, count, rejected = sys.argv[1:]
    session = Session(FileStore(Path(folder)), oauth_base_url=url)
    start = threading.Barrier(int(count) + 1)
    served: list[str] = []

    def work() -> None:
        start.wait(60)
        try:
            served.append(session.get(rejected=rejected or None).access_token)
        except Exception as error:  # noqa: BLE001  # the parent wants to see it
            served.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=work) for _ in range(int(count))]
    for thread in threads:
        thread.start()
    print("ready", flush=True)  # the parent waits for it
    sys.stdin.readline()
    start.wait(60)
    for thread in threads:
        thread.join()
    print(json.dumps(served), flush=True)


if __name__ == "__main__":
    main()
