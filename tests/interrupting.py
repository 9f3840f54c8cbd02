"""A command line that presses Ctrl-C at a moment of its own: `python interrupting.py MOMENT FILE ARGUMENT...`.

Moments are counted in calls of functions, from when the program has its own handler of SIGINT, so that they are the
same however busy the machine is. FILE then says whether Ctrl-C came, and at that whether all was done; and where it
did not come, how many moments there are, and after how many of them all was imported.
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


def follow(frame, event, argument):
    global count, imported
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        return
    count += 1
    if not imported and event == "call" and frame.f_code.co_name == "parse_options":
        imported = count
    if count == moment:
        sys.setprofile(None)
        file.write_text("too late" if sys.modules["gatys.cli.interrupts"].CTRL_C.over else "in time")
        os.kill(os.getpid(), signal.SIGINT)


sys.setprofile(follow)
code = main()
sys.setprofile(None)
if count < moment:
    file.write_text(f"{count} {imported}")
raise SystemExit(code)
