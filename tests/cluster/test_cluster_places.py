"""Which process of a cluster this is, and which images each worker learns from."""
import argparse
import json
import re
import socket

import numpy as np
import pytest

import mnist_distributed
from digits import input_data, paths, training
from digits.cluster import flags, local, process, worker
from digits.errors import UserError
from digits.tensorflow_v1 import tf

SCRIPT = str(paths.PROJECT_ROOT / 'mnist_distributed.py')


# ---- which process this is


def parse(*words, monkeypatch=None, config=None):
    parser = training.parser(SCRIPT, '', epochs=1, batch_size=10, learning_rate=0.1)
    flags.add(parser)
    if monkeypatch:
        monkeypatch.setenv('TF_CONFIG', config if isinstance(config, str) else json.dumps(config))
    return flags.parse_args(parser, list(words))


@pytest.mark.parametrize(('jobs', 'task', 'expected'), [
    ({'ps': ['a:1'], 'worker': ['b:1', 'c:1']}, ('worker', 1), ('worker', 1)),
    ({'ps': ['a:1'], 'worker': ['b:1', 'c:1']}, ('ps', 0), ('ps', 0)),
    ({'ps': ['a:1'], 'chief': ['b:1'], 'worker': ['c:1']}, ('chief', 0), ('worker', 0)),
    ({'ps': ['a:1'], 'chief': ['b:1'], 'worker': ['c:1']}, ('worker', 0), ('worker', 1)),
])
def test_tf_config_says_the_same_as_the_flags(monkeypatch, jobs, task, expected):
    args = parse(monkeypatch=monkeypatch,
                 config={'cluster': jobs, 'task': {'type': task[0], 'index': task[1]}})
    assert (args.job_name, args.task_index) == expected
    assert (args.ps_hosts, args.worker_hosts, args.workers) == (['a:1'], ['b:1', 'c:1'], 2)
    given = parse('--task-index', '0', monkeypatch=monkeypatch,
                  config={'cluster': jobs, 'task': {'type': task[0], 'index': task[1]}})
    assert given.task_index == 0  # a flag counts more


@pytest.mark.parametrize(('flags', 'config', 'words'), [
    ([], '', 'name this process'),
    (['--job-name', 'ps'], '', 'name this process'),
    ([], '{', 'TF_CONFIG is not'),
    ([], '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}',
     'TF_CONFIG is not'),
    (['--job-name', 'ps', '--task-index', '1', '--ps-hosts', 'a:1', '--worker-hosts', 'b:1'], '',
     'there are 1 of job ps'),
    (['--job-name', 'ps', '--task-index', '0', '--ps-hosts', 'a:1', '--worker-hosts', 'a:1'], '',
     'a:1 is in --ps-hosts and in --worker-hosts')])
def test_a_place_that_is_none_is_one_sentence(monkeypatch, flags, config, words):
    with pytest.raises(UserError, match=re.escape(words)):
        parse(*flags, monkeypatch=monkeypatch, config=config)


@pytest.mark.parametrize('text', ['', 'a', 'a:', ':1', 'a:0', 'a:65536', 'a:1,a:1', 'a:1,,b:1'])
def test_hosts_that_are_none(text):
    with pytest.raises(argparse.ArgumentTypeError):
        flags.hosts(text)


def test_a_port_that_is_taken_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(('', 0))
        taken.listen()
        address = f'127.0.0.1:{taken.getsockname()[1]}'
        args = argparse.Namespace(job_name='ps', task_index=0, ps_hosts=[address])
        with pytest.raises(UserError, match=f'{address}: cannot listen on port'):
            process.configuration(args)


def test_a_gpu_that_cannot_be_used_is_one_sentence(monkeypatch):
    def fail(*args, **kwargs):  # as an H100 whose memory another program had
        raise tf.errors.InternalError(
            None, None, 'cudaSetDevice() on GPU:0 failed. Status: out of memory')

    monkeypatch.setattr(tf.train.Server, '__init__', fail)
    server, worker = (f'127.0.0.1:{port}' for port in local.free_ports(2))
    with pytest.raises(UserError, match='GPU:0 failed.*; .*CUDA_VISIBLE_DEVICES=-1') as caught:
        mnist_distributed.main(['--ps-hosts', server, '--worker-hosts', worker,
                                '--job-name', 'worker', '--task-index', '0'])
    assert caught.value.exit_status == 1


# ---- who learns from what


@pytest.mark.parametrize('asynchronous', [False, True])
@pytest.mark.parametrize('workers', [1, 2, 3, 4])
def test_all_workers_together_see_each_image_once_an_epoch(small_dir, workers, asynchronous):
    """And in a synchronous step they see what one process would learn from."""
    count, size, steps = 120, 10, 24 // workers
    seen = []
    options = argparse.Namespace(data_dir=str(small_dir), dataset='mnist', seed=3, quiet=True,
                                 validation_size=6000 - count)
    alone = input_data.load(options).train
    for index in range(workers):
        args = argparse.Namespace(
            task_index=index, workers=workers, batch_size=size, asynchronous=asynchronous,
            steps=steps * (workers if asynchronous else 1), epochs=None)
        train = input_data.load(options).train
        batches = []
        for step in range(steps):  # two epochs
            train.seek(worker.position(args, step, own_steps=step))
            batches.append(train.next_batch(size)[0])
        seen.append(batches)
    for epoch in range(2):
        images = np.concatenate([batch for step in range(steps // 2) for batch in (
            batches[step + epoch * steps // 2] for batches in seen)])
        assert len(np.unique(images, axis=0)) == len(images) == count
    for step in range(steps):
        np.testing.assert_array_equal(alone.next_batch(size * workers)[0],
                                      np.concatenate([batches[step] for batches in seen]))


def test_seek_goes_forward_as_from_the_start(small_dir):
    flags = argparse.Namespace(data_dir=str(small_dir), dataset='mnist', seed=1, quiet=True,
                               validation_size=5900)
    straight, jumping = input_data.load(flags).train, input_data.load(flags).train
    everything = np.concatenate([straight.next_batch(10)[0] for _ in range(60)])
    for position in (0, 20, 90, 95, 100, 101, 350, 30, 99, 100, 560, 0, 10):
        jumping.seek(position)
        np.testing.assert_array_equal(jumping.next_batch(10)[0],
                                      everything[position:position + 10], str(position))
