"""A page where you draw a digit, and the network reads it while you draw.

Restores the newest checkpoint and serves one page on this machine. Programs send POST /predict.

$ python draw.py
draw.py: http://127.0.0.1:8000/ reads with mnist_cnn/20261121-150000-seed4; Ctrl-C stops it
"""
import os
import sys
import webbrowser
from pathlib import Path

from digits import command_line
from digits.prediction import classifier


def parse(argv):
    """The flags."""
    parser = command_line.Parser('draw.py', __doc__)
    parser.add_argument('--host', default='127.0.0.1', metavar='NAME',
                        help='the address to listen on (default 127.0.0.1: this machine only)')
    parser.add_argument('--port', type=command_line.port, default=8000, metavar='N',
                        help='the port to listen on, 0 for any free one (default 8000)')
    parser.add_argument('--open', action='store_true', help='open the page in a browser')
    parser.add_argument('--run-dir', metavar='DIR', action='append', dest='run_dirs',
                        help='the run to restore; give it twice to see two networks side by side '
                        '(default: in runs/ the newest CNN and the newest run of another kind)')
    parser.add_argument('--log', metavar='FILE',
                        help='write the request log to this file (default: stdout)')
    parser.add_argument('--log-drawings', action='store_true',
                        help='log also the 28 x 28 images; tell the users of the page')
    return parser.parse_args(argv)


def main(argv=None):
    """Serve until SIGTERM (status 0) or Ctrl-C (130), then finish the requests that have begun."""
    args = parse(argv)
    # Imported here: --help works without Tornado.
    from digits.web import connections, request_log, server
    # Several requests are answered at the same time, so each uses one core only.
    os.environ.setdefault('TF_NUM_INTRAOP_THREADS', '1')
    folders = [Path(each) for each in args.run_dirs or ()] or classifier.newest_runs()
    sock = connections.listen(args.host, args.port)
    (run, classify), *others = [('/'.join(folder.resolve().parts[-2:]), classifier.restore(folder))
                                for folder in folders]
    log = request_log.RequestLog(args.log, run)
    app = server.application(classify, run, log, args.host, args.log_drawings, others)
    url = connections.address(sock)
    if not server.is_loopback(sock.getsockname()[0]):
        print(f'draw.py: --host {args.host}: anybody who can connect to this machine can use the '
              'page, and nothing is encrypted; leave --host out if you do not want that',
              file=sys.stderr)
    names = ' beside '.join([run, *(name for name, _ in others)])

    def announce():
        print(f'draw.py: {url} reads with {names}; Ctrl-C stops it', file=sys.stderr)
        if args.open:
            webbrowser.open(url)

    server.serve(app, sock, log, announce)


if __name__ == '__main__':
    command_line.run(main)
