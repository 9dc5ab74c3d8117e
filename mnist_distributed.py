"""mnist_cnn.py's network on several processes or machines: TensorFlow's own cluster runtime.

$ python mnist_distributed.py --local 2
validation accuracy: 0.9946
test accuracy: 0.9955

Parameter servers ("ps") keep the variables. Workers read them, compute the gradients for their
share of a minibatch, and send those back. There is no password and no encryption: use a private
network.
"""
from digits import command_line, input_data, training
from digits.cluster import flags, local, process, worker
from digits.datasets import augmentation, outliers, strokes
from digits.tensorflow_v1 import explained_gpu_errors, tf
from mnist_cnn import DROP_RATE, OUTLIERS, STROKES, WARP, cross_entropy, inference, one_cycle


def main(argv=None):
    """Be one process of a cluster, or start one; the chief returns the test accuracy."""
    parser = training.parser(__file__, __doc__, epochs=6, batch_size=64, learning_rate=3e-3,
                             precision='auto')
    flags.add(parser)
    args = flags.parse_args(parser, argv)
    if args.local:
        return local.run(args, argv)

    # All processes get the same list of hosts; job_name and task_index say which one this is.
    cluster = tf.train.ClusterSpec({'ps': args.ps_hosts, 'worker': args.worker_hosts})
    config, precision = process.configuration(args)
    with explained_gpu_errors():
        server = tf.train.Server(cluster, args.job_name, args.task_index, config=config)
    process.wait_for_all(args)
    if args.job_name == 'ps':
        return process.serve(args, server)  # the Server does all the work, in C++
    mnist = input_data.load(args)
    strokes.add(mnist.train, STROKES)
    outliers.add(mnist.train, OUTLIERS)

    tf.reset_default_graph()
    tf.set_random_seed(args.seed + args.task_index)  # each worker drops different units
    # Every worker builds this graph; variables with the same name on a parameter server are shared.
    # The largest (98 % of all parameters) is cut into slices, one for each server.
    slices = tf.min_max_variable_partitioner(len(args.ps_hosts))
    with tf.device(tf.train.replica_device_setter(
            cluster=cluster, worker_device=f'/job:worker/task:{args.task_index}')), \
            tf.variable_scope('', partitioner=slices if len(args.ps_hosts) > 1 else None):
        with tf.name_scope('input'):
            images = tf.placeholder(tf.float32, [None, 784], name='images')  # a row for each image
            labels = tf.placeholder(tf.int64, [None], name='labels')
            drop_rate = tf.placeholder_with_default(0.0, [], name='drop_rate')
        logits = inference(images, drop_rate)
        with tf.name_scope('loss'):
            loss = cross_entropy(logits, labels)
        with tf.name_scope('train'):
            global_step = tf.train.get_or_create_global_step()
            total_steps = worker.total_steps(args, mnist.train.num_examples)
            rate = one_cycle(args.learning_rate, global_step, total_steps)
            optimizer = tf.train.AdamOptimizer(rate)
            if not args.asynchronous:
                # Waits for a gradient from every worker, and applies their mean: N workers with
                # batches of B do what one process does with batches of N * B.
                optimizer = tf.train.SyncReplicasOptimizer(optimizer, args.workers)
            train_step = optimizer.minimize(loss, global_step)
        with tf.control_dependencies([train_step]):
            step_done = global_step.read_value()
        with tf.name_scope('accuracy'):
            correct = tf.equal(tf.argmax(logits, 1), labels)
            accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
    saver = tf.train.Saver(save_relative_paths=True)

    with worker.WorkerRun(args, mnist, saver, precision, images, labels, logits, loss, accuracy,
                          rate) as run:
        hooks = process.hooks(run, server, config, None if args.asynchronous else optimizer)
        # The chief initializes the variables or restores them; the others wait.
        with tf.train.MonitoredTrainingSession(
                server.target, is_chief=run.chief, checkpoint_dir=run.folder, hooks=hooks,
                scaffold=tf.train.Scaffold(saver=saver), config=config, stop_grace_period_secs=1,
                save_checkpoint_secs=None, save_summaries_secs=None, save_summaries_steps=None,
                log_step_count_steps=None) as session:
            run.begin(session, global_step)
            while run.goes_on():  # the chief also saves, evaluates and shows (digits/cluster)
                batch_images, batch_labels = run.batch()
                seed = [args.seed, run.step, args.task_index]  # each worker warps differently
                warped = augmentation.warped(batch_images, WARP, seed)
                feed_dict = {images: warped, labels: batch_labels, drop_rate: DROP_RATE}
                run.step, run.loss = session.run([step_done, loss], feed_dict)
        return run.finish(inference, cross_entropy)


if __name__ == '__main__':
    command_line.run(main)
