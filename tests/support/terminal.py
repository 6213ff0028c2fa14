# Runs a command on a terminal of its own: what comes on stdin is typed, what it shows goes to stdout.
import fcntl
import os
import pty
import selectors
import struct
import sys
import termios

ROWS, COLUMNS = 24, 80

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])

fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
with selectors.DefaultSelector() as waiting:
    waiting.register(terminal, selectors.EVENT_READ)
    waiting.register(0, selectors.EVENT_READ)
    while True:
        ready = {key.fd for key, _ in waiting.select()}
        if 0 in ready:
            typed = os.read(0, 65536)
            if typed:
                os.write(terminal, typed)
            else:
                waiting.unregister(0)
        if terminal in ready:
            try:
                shown = os.read(terminal, 65536)
            except OSError:
                shown = b""
            if not shown:
                break
            os.write(1, shown)

_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
