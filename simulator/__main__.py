"""The command `python3 dev.py simulator`: start a simulated Kling and say how to use it."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

from .server import SimulatorServer
from .state import SIMULATOR_ACCESS_KEY, SIMULATOR_KEY, SIMULATOR_SECRET_KEY, State

DEFAULT_PORT = 8199


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return the options of the command."""
    parser = argparse.ArgumentParser(
        prog="dev.py simulator",
        description="A Kling on this machine: the same paths and rules as the real one, real files, no bill.",
        epilog="A prompt with [fail] makes a task that fails by moderation; [refuse] is refused at once.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="0: any free port (default: %(default)s)"
    )
    parser.add_argument("--speed", type=float, default=1.0, help="2 makes videos twice as fast (default: 1)")
    parser.add_argument("--concurrency", type=int, default=5, help="tasks of one model at once (default: 5)")
    parser.add_argument("--balance", type=float, default=1000.0, help="units on the account (default: 1000)")
    parser.add_argument(
        "--tiny", action="store_true", help="send one small MP4 for everything, drawn in no time"
    )
    parser.add_argument(
        "--retired-models", action="store_true", help="serve the models that Kling retired on 2026-09-15, too"
    )
    options = parser.parse_args(argv)
    if options.speed <= 0:
        parser.error("--speed must be more than 0")
    if options.concurrency < 1:
        parser.error("--concurrency must be 1 or more")
    return options


def state_for(options: argparse.Namespace) -> State:
    """Return the state that the options ask for."""
    return State(
        submitted_seconds=State.submitted_seconds / options.speed,
        processing_seconds=State.processing_seconds / options.speed,
        processing_per_second=State.processing_per_second / options.speed,
        concurrency_limit=options.concurrency,
        balance_units=options.balance,
        render="tiny" if options.tiny else "full",
        retired_models=options.retired_models,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simulator until Ctrl-C; return the exit code."""
    options = arguments(sys.argv[1:] if argv is None else argv)
    server = SimulatorServer(state_for(options), options.host, options.port)
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        # A terminated simulator removes its temporary videos like an interrupted one.
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        server.start()
    except OSError as failure:
        print(
            f"The simulator can't listen on {options.host}:{options.port}: {failure}. Choose another --port."
        )
        return 1
    try:
        print(f"Simulated Kling on {server.url} - nothing here costs money. Ctrl-C ends it.")
        print("Start ComfyUI with these two variables to use it:")
        print(f"  KLING_API_BASE={server.url}")
        print(f"  KLING_API_KEY={SIMULATOR_KEY}")
        print("or, with a key pair instead of the API key:")
        print(f"  KLING_ACCESS_KEY={SIMULATOR_ACCESS_KEY}")
        print(f"  KLING_SECRET_KEY={SIMULATOR_SECRET_KEY}")
        sys.stdout.flush()
        while not stop.wait(0.5):
            pass
    except KeyboardInterrupt:
        print()
    finally:
        server.close()
    print(
        f"Ended after {server.state.creates_accepted} tasks, {len(server.state.billed())} of them finished."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
