"""A command line that presses Ctrl-C at a moment of its own: `python interrupting.py MOMENT FILE ARGUMENT...`.

Moments are counted in calls of functions, from when the program has its own handler of SIGINT, so that they are the
same but for a few hundred however busy the machine is. FILE then says whether Ctrl-C came, and at that whether all was
done; and where it did not come, how many moments there are, and after how many of them all was imported.
"""

import os
import signal
import sys
from pathlib import Path

from gatys.__main__ import main

moment, file = int(sys.argv[1]), Path(sys.argv[2])
sys.argv = ["gatys", *sys.argv[3:]]
signal.signal(signal.SIGINT, signal.default_int_handler)  # it may be ignored where tests run in the background
count = imported = 0


def wait(frame, event, argument):
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        sys.setprofile(press if moment else measure)


def press(frame, event, argument):
    global count
    count += 1
    if count == moment:
        sys.setprofile(None)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            file.write_text("too late")
            return
        file.write_text("too late" if sys.modules["gatys.cli.interrupts"].CTRL_C.over else "in time")
        os.kill(os.getpid(), signal.SIGINT)


def measure(frame, event, argument):
    global count, imported
    count += 1
    if not imported and event == "call" and frame.f_code.co_name == "parse_options":
        imported = count


sys.setprofile(wait)
code = main()
sys.setprofile(None)
if not moment:
    file.write_text(f"{count} {imported}")
elif count < moment:
    file.write_text("too late")
raise SystemExit(code)
