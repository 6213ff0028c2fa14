"""A network of real packets between programs in this network namespace: an address that is a tun device.

    unshare -rn python3 packet_path.py PORT DELAY_MS

Whoever connects to FAR comes to NEAR: of each packet the two addresses are swapped (the checksums stay
right), and it goes back in, DELAY_MS later. So the kernel's own TCP, and whatever is spoken over UDP,
meet the same delay and the same losses. PORT is the server's. Each line of stdin is one command, each
line of stdout the answer to it, both JSON:

    ["reset"]               counts anew, what is on its way left out
    ["trips"]               round trips that the client heard back of, see rounds.ts
    ["share", SHARE, SEED]  from now on the client's packets are lost, in so many of all
    ["next"]                the next of the client's packets is lost, and once
    ["lost"]                the payloads' sizes of what was lost, since this was last asked

Packets without a message are never lost: of so few bytes are acknowledgements alone. Ends with stdin.
"""

import fcntl
import heapq
import json
import os
import select
import struct
import subprocess
import sys
import time

NEAR, FAR = "10.77.0.1", "10.77.0.2"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
TCP, UDP = 6, 17
MIN_MESSAGE_BYTES = {TCP: 1, UDP: 90}
MASK = 0xFFFFFFFF


def open_tun() -> int:
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH", b"claims0", IFF_TUN | IFF_NO_PI))
    for line in (
        "ip link set lo up",
        f"ip addr add {NEAR}/24 dev claims0",
        "ip link set claims0 mtu 1500 up",
    ):
        subprocess.run(line.split(), check=True, stdout=subprocess.DEVNULL)
    return tun


def random_of(seed: int):
    """The same as seededRandom of seeded.ts."""
    state = seed & MASK

    def random() -> float:
        nonlocal state
        state = (state + 0x6D2B79F5) & MASK
        t = ((state ^ (state >> 15)) * (state | 1)) & MASK
        t ^= (t + (((t ^ (t >> 7)) * (t | 61)) & MASK)) & MASK
        return ((t ^ (t >> 14)) & MASK) / 2**32

    return random


class Path:
    def __init__(self, port: int, delay_ms: float) -> None:
        self._port = port
        self._delay_s = delay_ms / 1000
        self._tun = open_tun()
        self._waiting = []
        self._count = 0
        self._lost = []
        self._loses = lambda: False
        self._reset()

    def _reset(self) -> None:
        self._heard = {"client": 0, "server": 0}
        self._epoch = getattr(self, "_epoch", 0) + 1

    def do(self, name: str, *args):
        if name == "reset":
            return self._reset()
        if name == "trips":
            return self._heard["client"]
        if name == "share":
            share, random = args[0], random_of(args[1])
            self._loses = lambda: random() < share
        if name == "next":
            left = [True]
            self._loses = lambda: bool(left and left.pop())
        if name == "lost":
            lost, self._lost = self._lost, []
            return lost
        return None

    def _take(self, packet: bytes) -> None:
        head_bytes = (packet[0] & 15) * 4
        protocol = packet[9]
        if packet[0] >> 4 != 4 or protocol not in MIN_MESSAGE_BYTES:
            return
        from_client = struct.unpack_from("!H", packet, head_bytes + 2)[0] == self._port
        inner = (packet[head_bytes + 12] >> 4) * 4 if protocol == TCP else 8
        size = len(packet) - head_bytes - inner
        if from_client and size >= MIN_MESSAGE_BYTES[protocol] and self._loses():
            self._lost.append(size)
            return
        to = "server" if from_client else "client"
        round_ = self._heard["client"] + 1 if from_client else self._heard["server"]
        swapped = packet[:12] + packet[16:20] + packet[12:16] + packet[20:]
        self._count += 1
        due = time.monotonic() + self._delay_s
        heapq.heappush(self._waiting, (due, self._count, swapped, to, self._epoch, round_))

    def _pass_on(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, _, packet, to, epoch, round_ = heapq.heappop(self._waiting)
            if epoch == self._epoch:
                self._heard[to] = max(self._heard[to], round_)
            os.write(self._tun, packet)

    def run(self) -> None:
        rest = b""
        while True:
            wait = max(0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
            ready, _, _ = select.select([self._tun, 0], [], [], wait)
            self._pass_on()
            if self._tun in ready:
                self._take(os.read(self._tun, 65536))
            if 0 in ready:
                chunk = os.read(0, 65536)
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    print(json.dumps(self.do(*json.loads(line))), flush=True)


path = Path(int(sys.argv[1]), float(sys.argv[2]))
print(json.dumps(FAR), flush=True)
path.run()
