"""A page where you draw a digit, and the network reads it while you draw.

Restores the newest checkpoint and serves one page on this machine. Programs ask POST /predict.

$ python draw.py
draw.py: http://127.0.0.1:8000/ reads with mnist_cnn/20261121-1500-seed4; Ctrl-C stops it
"""
import argparse
import os
import sys
import webbrowser
from pathlib import Path

from digits import command_line
from digits.prediction import classifier


def parse(argv):
    """The flags."""
    parser = argparse.ArgumentParser(prog='draw.py', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--host', default='127.0.0.1', metavar='NAME',
                        help='the address to listen on (default 127.0.0.1: this machine alone)')
    parser.add_argument('--port', type=command_line.port, default=8000, metavar='N',
                        help='the port to listen on, 0 for any that is free (default 8000)')
    parser.add_argument('--open', action='store_true', help='open the page in a browser')
    parser.add_argument('--run-dir', metavar='DIR', action='append', dest='run_dirs',
                        help='the run to restore; give it twice to see two networks side by side '
                        '(default: the newest CNN in runs/ and the newest that is none)')
    parser.add_argument('--log', metavar='FILE',
                        help='where the line of each request goes (default: stdout)')
    parser.add_argument('--log-drawings', action='store_true',
                        help='log also what was drawn, 28 x 28; tell those who draw')
    return parser.parse_args(argv)


def main(argv=None):
    """Serve until SIGTERM (status 0) or Ctrl-C (130), then finish what was asked."""
    args = parse(argv)
    # --help needs no Tornado; connections says so if it is not installed.
    from digits.web import connections, request_log, server
    # Requests are answered side by side: each on one core, not all on all.
    os.environ.setdefault('TF_NUM_INTRAOP_THREADS', '1')
    folders = [Path(each) for each in args.run_dirs or ()] or classifier.newest_runs()
    sock = connections.listen(args.host, args.port)
    (run, classify), *others = [('/'.join(folder.resolve().parts[-2:]), classifier.restore(folder))
                                for folder in folders]
    log = request_log.RequestLog(args.log, run)
    app = server.application(classify, run, log, args.host, args.log_drawings, others)
    url = connections.address(sock)
    if not server.is_loopback(sock.getsockname()[0]):
        print(f'draw.py: --host {args.host}: everybody who reaches this machine can use the page, '
              'and nothing is encrypted; leave --host out unless you mean that', file=sys.stderr)
    names = ' beside '.join([run, *(name for name, _ in others)])
    print(f'draw.py: {url} reads with {names}; Ctrl-C stops it', file=sys.stderr)
    if args.open:
        webbrowser.open(url)
    server.serve(app, sock, log)


if __name__ == '__main__':
    command_line.run(main)
