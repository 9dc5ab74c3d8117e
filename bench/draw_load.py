"""Measure response times and memory of draw.py under load from Locust.

    python bench/draw_load.py --run-dir RUN

20 requests a second for a minute, then 200 clients at once for a minute, each sending what the page
sends: a 140 x 140 PNG. Prints p50 and p99 in milliseconds, errors, and the server's
resident memory from the first quarter of that minute to the last. Linux, on a quiet machine.
Locust: python -m pip install 'locust>=2.20,<3'
"""
import argparse
import csv
import io
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

PROJECT_ROOT = Path(__file__).resolve().parent.parent
CLIENTS = """
import pathlib, locust
BODY = pathlib.Path(__file__).with_name('seven.png').read_bytes()

class Client(locust.FastHttpUser):
    wait_time = {wait}

    @locust.task
    def predict(self):
        self.client.post('/predict?with=image', data=BODY,
                         headers={{'Content-Type': 'image/png'}})
"""


def seven():
    """A drawing as the page sends it."""
    image = Image.new('RGBA', (140, 140), 'white')
    ImageDraw.Draw(image).line([(40, 30), (100, 30), (60, 115)], 'black', 10, 'curve')
    file = io.BytesIO()
    image.save(file, 'PNG')
    return file.getvalue()


def load(url, clients, wait, seconds, folder):
    """Locust's row of totals, {column: text}."""
    (folder / 'seven.png').write_bytes(seven())
    (folder / 'clients.py').write_text(CLIENTS.format(wait=wait))
    subprocess.run([sys.executable, '-m', 'locust', '-f', str(folder / 'clients.py'), '--headless',
                    '--users', str(clients), '--spawn-rate', str(clients / 5), '--host', url,
                    '--run-time', f'{seconds}s', '--only-summary', '--csv', str(folder / 'out'),
                    '--reset-stats'],  # after the five seconds in which they come
                   check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(str(folder / 'out_stats.csv'), encoding='utf-8', newline='') as file:
        return list(csv.DictReader(file))[-1]


def resident(pid):
    """Megabytes of a process in memory."""
    pages = int(Path(f'/proc/{pid}/statm').read_text(encoding='utf-8').split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 2 ** 20


def processor_seconds(pid):
    """What a process has computed so far, on all cores."""
    fields = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def main():
    """Print a line for each of the two loads."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--run-dir', required=True)
    parser.add_argument('--seconds', type=int, default=60)
    args = parser.parse_args()
    server = subprocess.Popen([sys.executable, str(PROJECT_ROOT / 'draw.py'), '--port', '0',
                               '--run-dir', args.run_dir], text=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    url = re.search(r'http://\S+', server.stderr.readline()).group(0).rstrip('/')
    memory = []

    def watch():
        while server.poll() is None:
            memory.append(resident(server.pid))
            time.sleep(0.5)

    threading.Thread(target=watch, daemon=True).start()
    try:
        for name, clients, wait in (('20 requests a second', 20, 'locust.between(0.5, 1.5)'),
                                    ('200 clients', 200, 'locust.constant(0)')):
            busy, start, before = os.getloadavg()[0], len(memory), processor_seconds(server.pid)
            with tempfile.TemporaryDirectory() as folder:
                row = load(url, clients, wait, args.seconds, Path(folder))
            each = 1000 * (processor_seconds(server.pid) - before) / int(row['Request Count'])
            part = memory[start:][len(memory[start:]) // 4:]
            quarter = max(1, len(part) // 3)
            print(f'{name}: {row["Request Count"]} requests, {float(row["Requests/s"]):.1f} a '
                  f'second, p50 {row["50%"]} ms, p99 {row["99%"]} ms, '
                  f'{each:.1f} ms of a core each, {row["Failure Count"]} errors, memory '
                  f'{np.median(part[:quarter]):.0f} MB, at the end '
                  f'{np.median(part[-quarter:]):.0f} MB (load average before: {busy:.1f} on '
                  f'{os.cpu_count()} cores)')
    finally:
        server.terminate()
        server.wait()


if __name__ == '__main__':
    main()
