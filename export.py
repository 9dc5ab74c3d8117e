"""Export a trained run for other programs: as a SavedModel, as TFLite or as ONNX.

What is written takes images as uint8 [n, 28, 28], white ink on black, and returns logits and
calibrated probabilities; it needs nothing of this project.

$ python export.py --format tflite --out digits.tflite
digits.tflite: 13,103,172 bytes, of mnist_cnn/20261121-150000-seed4
"""
from pathlib import Path

from digits import command_line
from digits.prediction import classifier, export


def parse(argv):
    """The flags; a usage error if they contradict each other."""
    parser = command_line.Parser('export.py', __doc__)
    parser.add_argument('run', nargs='?', metavar='RUN', type=Path,
                        help="the run's folder (default: the newest in runs/, a CNN if any)")
    parser.add_argument('--format', choices=export.FORMATS, required=True,
                        help='saved-model: a folder; tflite, onnx: a file')
    parser.add_argument('--out', metavar='PATH', type=Path, required=True,
                        help='the file or folder to write, which must not exist')
    parser.add_argument('--int8', action='store_true',
                        help='TFLite with 8-bit integers, a quarter of the size; their ranges are '
                        'measured on training images')
    parser.add_argument('--data-dir', metavar='DIR', help='with --int8, the folder of the training '
                        'images (default: where they were in training)')
    args = parser.parse_args(argv)
    if args.int8 and args.format != 'tflite':
        parser.error('--int8 is for --format tflite')
    return args


def main(argv=None):
    """Write the file, and print its size."""
    args = parse(argv)
    export.check(args.format, args.out)
    run = args.run or classifier.newest_run()
    images = export.training_images(run, args.data_dir) if args.int8 else None
    export.write(run, args.format, args.out, images)
    size = sum(path.stat().st_size for path in [args.out, *args.out.rglob('*')] if path.is_file())
    print(f'{args.out}: {size:,} bytes, of {"/".join(run.resolve().parts[-2:])}')


if __name__ == '__main__':
    command_line.run(main)
