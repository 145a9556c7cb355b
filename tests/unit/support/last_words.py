"""Says something from a thread and at exit, after the main thread, and ends as it is told."""

import atexit
import sys
from threading import Thread, main_thread


def _from_a_thread() -> None:
    main_thread().join()
    print("from a thread")


if __name__ == "__main__":
    atexit.register(print, "at exit", end="")
    Thread(target=_from_a_thread).start()
    match sys.argv[1]:
        case "return":
            pass
        case "raise":
            raise ValueError("of its own")
        case code:
            sys.exit(int(code) if code.isdecimal() else code)
