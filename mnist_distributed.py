"""mnist_cnn.py's network on several processes or machines: TensorFlow's own cluster runtime.

$ python mnist_distributed.py --local 2
validation accuracy: 0.9962
test accuracy: 0.9954

Parameter servers ("ps") keep the variables. Workers read them, each works out the gradients of its
own share of a minibatch, and sends those back. Nothing of this has a password: use it on a network
that only you can reach.
"""
from digits import cluster, command_line, local_cluster
from digits.datasets import augmentation
from digits.tensorflow_v1 import tf
from mnist_cnn import cross_entropy, inference, learning_data, rate_at, recipe_flags


def main(argv=None):
    """Be one process of a cluster, or start one; the chief returns the test accuracy."""
    parser = command_line.training_flags(
        __file__, __doc__, epochs=5, batch_size=64, learning_rate=3e-3, precision='auto',
        watched=False)
    recipe_flags(parser)
    cluster.flags(parser)
    args = cluster.parse(parser, argv)
    if args.local:
        return local_cluster.run(args, argv)

    # All processes are given the same map of the cluster, and each its own place on it.
    spec = tf.train.ClusterSpec({'ps': args.ps_hosts, 'worker': args.worker_hosts})
    config, precision = cluster.configuration(args)
    server = tf.train.Server(spec, args.job_name, args.task_index, config=config)
    cluster.gather(args)
    if args.job_name == 'ps':
        return cluster.serve(args, server)  # all its work is done by the Server, in C++
    mnist = learning_data(args)
    work = cluster.Work(args, mnist, precision)

    tf.reset_default_graph()
    tf.set_random_seed(args.seed + args.task_index)  # each worker drops other units
    # Every worker builds this graph; a variable of the same name on a parameter server is the same
    # variable. Cut into slices, the largest (98 % of all numbers) is on all servers.
    slices = tf.min_max_variable_partitioner(len(args.ps_hosts))
    with tf.device(tf.train.replica_device_setter(
            cluster=spec, worker_device=f'/job:worker/task:{args.task_index}')), \
            tf.variable_scope('', partitioner=slices if len(args.ps_hosts) > 1 else None):
        with tf.name_scope('input'):
            x = tf.placeholder(tf.float32, [None, 784], name='x')  # an image a row
            y = tf.placeholder(tf.int64, [None], name='y')  # the digit in it
            drop_rate = tf.placeholder_with_default(0.0, [], name='drop_rate')
        logits = inference(x, drop_rate, args.initial_stddev, args.initial_bias)
        with tf.name_scope('loss'):
            loss = cross_entropy(logits, y, args.label_smoothing)
        with tf.name_scope('train'):
            step = tf.train.get_or_create_global_step()
            optimizer = tf.train.AdamOptimizer(rate_at(args, step, work.steps))
            if not args.asynchronous:
                # Waits for a gradient from every worker, and applies their mean: N workers with
                # batches of B do what one process does with batches of N * B.
                optimizer = tf.train.SyncReplicasOptimizer(optimizer, args.workers)
            train_step = optimizer.minimize(loss, step)
        with tf.control_dependencies([train_step]):
            step_done = step.read_value()
    tf.summary.scalar('loss', loss)

    with work:
        come_back = cluster.initialized(args, server, config)
        hooks = [cluster.Goodbye(work)]
        if not args.asynchronous:
            # The chief, when it is done, lets go whoever still waits for the others.
            hooks += [cluster.sync_hook(optimizer, args, come_back),
                      tf.train.FinalOpsHook(optimizer.get_init_tokens_op(args.workers))]
        # The chief initializes the variables or restores them, and saves them; the others wait.
        with tf.train.MonitoredTrainingSession(
                server.target, is_chief=work.chief, checkpoint_dir=work.folder and str(work.folder),
                scaffold=tf.train.Scaffold(saver=tf.train.Saver(
                    max_to_keep=2, save_relative_paths=True)),
                hooks=hooks, save_checkpoint_secs=args.checkpoint_every,
                stop_grace_period_secs=1, config=config) as session:
            work.step = session.run_step_fn(lambda step_context: step_context.session.run(step))
            while work.goes_on():
                images, labels = work.batch()
                warped = augmentation.warped(images, args.warp, [args.seed, work.step])
                work.step, work.loss = session.run([step_done, loss], {
                    x: warped, y: labels, drop_rate: args.drop_rate})
        return work.finish()


if __name__ == '__main__':
    command_line.run(main)
